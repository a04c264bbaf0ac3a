//! What every store must do.

mod crash;
mod model;
mod operation;
mod race;

pub use crash::{Disk, crashes, failures};
pub use model::model;
pub use race::races;
