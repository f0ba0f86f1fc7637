#![doc = include_str!("../README.md")]

pub mod admin;
pub mod auth;
pub mod health;
pub mod http;
pub mod lifecycle;
pub mod settings;
pub mod start;
pub mod telemetry;

pub use health::Health;
pub use http::{problem::Problem, site::Site};
pub use lifecycle::Lifecycle;
pub use start::{Context, start};
