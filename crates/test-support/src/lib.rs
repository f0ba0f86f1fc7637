#![doc = include_str!("../README.md")]
#![expect(clippy::missing_panics_doc, reason = "a helper of a test fails by panicking")]

mod cluster;
mod context;
mod disk;
mod events;
mod eventually;
mod http;
mod mail;
mod metrics;
mod nats;
mod permissions;
mod postgres;
mod proxy;
pub mod toys;

pub use cluster::{CLUSTER_PASSWORD, NatsCluster};
pub use context::{auth, context, ready};
pub use disk::{SmallDisk, damage};
pub use events::{ArticleWriter, Written, user};
pub use eventually::{PATIENCE, eventually};
pub use http::http_client;
pub use mail::{MailSink, read_mail};
pub use metrics::metric;
pub use nats::{NatsServer, delete_stream, free_port, nats_server_binary};
pub use permissions::users;
pub use postgres::PostgresServer;
pub use proxy::Proxy;
