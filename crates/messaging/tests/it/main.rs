//! The messaging crate against a real nats-server.

mod acknowledgements;
mod behind;
mod control;
mod event_store;
mod feed;
mod history;
mod lanes;
mod lease;
mod live;
mod permissions;
mod projector;
mod queue;
mod reaction;
mod request;
mod watch;
mod way_back;
