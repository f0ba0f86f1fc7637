#![doc = include_str!("../README.md")]

pub mod article;
pub mod audience;
pub mod comment;
mod topic;

pub use audience::{Audience, Heard, Published, published};
pub use topic::{Topic, UnknownTopic};
