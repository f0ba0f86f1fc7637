//! The parts of the engine that a test of a model needs: tables without a stream.

pub use crate::{
    catalog::{Database, Generation, State},
    postgres::PostgresDatabase,
    projector::{ChangesOf, fold},
    sqlite::SqliteDatabase,
    tables::{Changes, Skipped, Step, Tables},
};
