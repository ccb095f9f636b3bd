//! `gate prompt`: looking at versions, adding them, moving channels, and the audit of all that.

pub mod add;
pub mod audit;
pub mod copy;
pub mod evidence;
pub mod get;
pub mod lint;
pub mod look;
pub mod movement;
pub mod place;
pub mod promote;

pub use look::{Listed, diff, find, list};
pub use place::{Place, registries};
