//! The projection service on a real nats-server: events in, queries out.
#![allow(clippy::disallowed_macros, reason = "the output of a test is read by people")]

mod able;
mod full_disk;
mod generations;
mod other_stream;
mod reading;
mod replicas;
mod service;
mod upgrade;
