//! Commands that are accepted now and executed later, and what became of them.
//!
//! A command waits in the work queue `COMMANDS` until its service has an outcome; the outcome is kept as an operation
//! for a day. Neither needs the service to be there when the command is sent.

mod attempt;
mod client;
mod in_hand;
mod operation;
mod server;

pub use client::{CommandQueue, EnqueueError};
pub use operation::{Operation, Outcome};
pub use server::QueueServer;
