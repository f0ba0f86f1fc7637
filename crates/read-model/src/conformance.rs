//! What both databases must do alike.

mod catalog;
mod frame;
mod toys;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use test_support::eventually;

use self::toys::Toys;
use crate::{
    catalog::Database, model::ReadModel as _, postgres::PostgresDatabase, sqlite::SqliteDatabase,
};

const VERSION: i64 = Toys::VERSION;

#[tokio::test]
async fn sqlite_keeps_the_read_model() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let database = SqliteDatabase::<Toys>::new(folder.path().join("read-models.db"));
    run(&database).await;
}

#[tokio::test]
async fn postgres_keeps_the_read_model() {
    let server = test_support::PostgresServer::start().await;
    let database = PostgresDatabase::<Toys>::parse(&server.url()).expect("a valid URL");
    run(&database).await;
}

/// They are held up at the very insertion, so that they do start at once.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_at_once_make_one_generation_and_use_up_one_number() {
    let server = test_support::PostgresServer::start().await;
    let database = || PostgresDatabase::<Toys>::parse(&server.url()).expect("a valid URL");
    let replicas: Vec<_> = std::iter::repeat_with(database).take(8).collect();
    replicas[0].prepare(VERSION).await.expect("prepared");
    let mut holder = PgConnection::connect(&server.url()).await.expect("connected");
    let mut hold = holder.begin().await.expect("a transaction");
    let table = "newswire_projection_toys.generations";
    for statement in [
        format!("DELETE FROM {table}"),
        format!("ALTER TABLE {table} ALTER COLUMN number RESTART"),
        format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
    ] {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *hold).await.expect("executed");
    }
    let prepared = replicas.iter().cloned().map(|replica| {
        tokio::spawn(async move { replica.prepare(VERSION).await.expect("prepared") })
    });
    let prepared: Vec<_> = prepared.collect();
    let observer = PgPool::connect(&server.url()).await.expect("connected");
    eventually("all to wait", || async {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&observer).await.ok()?;
        (waiting == 8).then_some(())
    })
    .await;
    hold.commit().await.expect("committed");
    for replica in prepared {
        replica.await.expect("no panic");
    }
    let next = replicas[0].add(VERSION, false, false).await.expect("added");
    assert_eq!(next, Some(2));
    for replica in replicas {
        replica.close().await;
    }
}

/// Every rule, on one database: its generations do not see each other.
async fn run<D: Database<Model = Toys>>(database: &D) {
    database.prepare(VERSION).await.expect("prepared");
    catalog::run(database).await;
    frame::run(database).await;
    database.close().await;
}

/// The tables of a new generation.
async fn tables<D: Database<Model = Toys>>(database: &D) -> D::Tables {
    use crate::catalog::State;
    let number = database.add(VERSION, false, false).await.expect("added").expect("none is built");
    // Out of the way of the next one.
    database.change(number, State::Building, State::Failed, None).await.expect("changed");
    database.open(number).await.expect("opened")
}
