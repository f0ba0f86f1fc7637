#![doc = include_str!("../README.md")]

mod all_in_one;
pub mod command;
mod embedded_nats;
mod import;
mod settings;
