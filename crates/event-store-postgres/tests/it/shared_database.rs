//! Several services in one PostgreSQL database: none sees what another has.

use event_store_postgres::Namespace;
use eventsourcing::{EventStore as _, Head};
use sqlx::{Connection as _, PgConnection};
use test_support::{NatsServer, PostgresServer};

use crate::test_store::{TestStore, toy, write};

async fn count(database: &mut PgConnection, table: &str) -> i64 {
    let count = format!("SELECT count(*) FROM {table}");
    let counted = sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(database).await;
    counted.expect("counted")
}

#[tokio::test]
async fn services_that_share_a_database_relay_their_own_events_alone() {
    let (nats, postgres) = (NatsServer::provisioned().await, PostgresServer::start().await);
    let url = postgres.url();
    let namespaces = [Namespace::default_schema("toy"), Namespace::of("one"), Namespace::of("two")];
    // They make their schemas at the same time, and two processes of one service do.
    let opened = namespaces.iter().cycle().take(6).cloned();
    let opened = opened.map(|namespace| TestStore::open_in(namespace, &nats, &url, "toy"));
    let stores = futures_util::future::join_all(opened).await;
    let written = futures_util::future::join_all(stores.iter().map(|store| async {
        let stream = toy();
        let ids = write(&store.store, &stream, |version| version < 5).await;
        (stream, ids)
    }))
    .await;
    let mut database = PgConnection::connect(&url).await.expect("connected");
    for schema in ["public", "one", "two"] {
        // Two processes of each service wrote five events.
        assert_eq!(count(&mut database, &format!("{schema}.events")).await, 10);
        assert_eq!(count(&mut database, &format!("{schema}.outbox")).await, 0);
    }
    for (index, store) in stores.iter().enumerate() {
        for (other, (stream, ids)) in written.iter().enumerate() {
            let found = store.store.load(stream, Head::default()).await.expect("loaded");
            let is_ours = index % 3 == other % 3;
            assert_eq!(found.len(), if is_ours { ids.len() } else { 0 });
        }
    }
    assert_eq!(nats.events().await, 30, "each is in the stream once");
    for store in stores {
        store.close().await;
    }
}
