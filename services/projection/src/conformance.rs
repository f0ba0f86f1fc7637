//! What both databases must do alike.

mod catalog;
mod reads;
mod story;
mod writes;

use crate::{
    catalog::Database, postgres::PostgresDatabase, projector::VERSION, sqlite::SqliteDatabase,
};

#[tokio::test]
async fn sqlite_keeps_the_read_model() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = SqliteDatabase::new(folder.path().join("read-models.db"));
    run(&database).await;
}

#[tokio::test]
async fn postgres_keeps_the_read_model() {
    let server = test_support::PostgresServer::start().await;
    let database = PostgresDatabase::parse(&server.url()).expect("a valid URL");
    run(&database).await;
}

/// Every rule, on one database: its generations do not see each other.
async fn run<D: Database>(database: &D) {
    database.prepare(VERSION).await.expect("prepared");
    catalog::run(database).await;
    writes::run(database).await;
    reads::run(database).await;
    database.close().await;
}

/// The tables of a new generation.
async fn tables<D: Database>(database: &D) -> D::Tables {
    use crate::catalog::State;
    let number = database.add(VERSION, false, false).await.expect("added").expect("none is built");
    // Out of the way of the next one.
    database.change(number, State::Building, State::Failed, None).await.expect("changed");
    database.open(number).await.expect("opened")
}
