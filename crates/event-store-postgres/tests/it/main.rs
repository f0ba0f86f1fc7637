//! The store on PostgreSQL with a real database and a real stream.

mod another_stream;
mod pages;
mod postgres;
mod relay;
mod shared_database;
mod test_store;
