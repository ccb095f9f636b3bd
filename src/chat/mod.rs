//! The provider-neutral conversation: what is asked of a model, what it answers, what that used
//! and what it cost. The codecs of `provider` translate to and from the wire.

pub mod fault;
pub mod http_form;
pub mod message;
pub mod model;
pub mod price;
pub mod request;
pub mod response;
pub mod tokenizer;
pub mod usage;

pub use fault::{AnswerFault, ErrorClass};
pub use http_form::{HttpForm, HttpMethod, KeyHeader, Slot, TextBody};
pub use message::{Message, Role};
pub use model::{ModelSpec, ProviderKind};
pub use price::{Price, PriceTable};
pub use request::{Params, Request, ResponseFormat};
pub use response::{Finish, Response, TokenChoice, ToolCall};
pub use tokenizer::Tokenizer;
pub use usage::Usage;
