//! The projection service on a real nats-server: events in, queries out.

mod generations;
mod reading;
mod replicas;
mod service;
