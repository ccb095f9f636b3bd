//! How and where to run: options in layers (default < project file < profile < environment < flag),
//! each value with its origin. No setting can change a score or a verdict.

pub mod file;
pub mod keys;
pub mod layer;

pub use keys::{Settings, decode as settings_of};
pub use layer::{Layers, Origin};
