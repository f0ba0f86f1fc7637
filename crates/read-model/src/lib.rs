#![doc = include_str!("../README.md")]

mod active;
mod catalog;
mod commits;
#[cfg(test)]
mod conformance;
pub mod control;
mod follower;
mod live;
mod model;
mod number;
mod opening;
mod origin;
mod postgres;
mod projector;
mod queries;
mod reads;
mod rebuild;
mod served;
mod settings;
mod sqlite;
mod tables;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod time;
mod verdict;

pub use model::{DatabaseError, Names, ReadModel, Schema};
pub use number::number;
pub use queries::{Ask, Fault, TableQuery, cursor, page};
pub use reads::{POSITION, Reads, begin_on_postgres, begin_on_sqlite};
pub use served::{Host, Placed, Served, run};
pub use settings::{PlaceError, ProjectionSettings};
pub use sqlite::{each_of, pieces};
pub use tables::Seen;
pub use time::{parse_rfc3339, rfc3339};
