#![doc = include_str!("../README.md")]

/// Messages are made on one thread and dropped on another, which the system's allocator is slow at: with this one a
/// request costs a fifth less.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod admin;
pub mod auth;
pub mod files;
pub mod health;
pub mod healthcheck;
pub mod http;
pub mod json;
pub mod lifecycle;
pub mod output;
pub mod settings;
pub mod start;
pub mod telemetry;

pub use health::Health;
pub use http::{origins::Origins, problem::Problem, site::Site};
pub use lifecycle::Lifecycle;
pub use start::{Context, start};
