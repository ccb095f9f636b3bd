//! Prompt versions: templates with declared variables, the content hash, rendering, and the
//! difference between two versions.

pub mod diff;
pub mod file;
pub mod langfuse;
pub mod layer;
pub mod metadata;
pub mod params;
pub mod template;
pub mod variable;
pub mod version;

pub use file::{Expected, Form, decode};
pub use template::{RenderError, Template};
pub use variable::{Variable, VariableFault, VariableKind};
pub use version::{MessageTemplate, Metadata, PromptVersion};
