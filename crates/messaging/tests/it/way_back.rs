//! A reply, when the connection over which its request came is gone.

use std::{sync::Arc, time::Duration};

use contracts::article::GetArticle;
use eventsourcing::{AggregateId, QueryEnvelope, QueryReply, Refusal, RefusalKind};
use messaging::{RequestClient, RequestServer};
use test_support::{NatsServer, eventually};
use tokio::sync::Notify;

#[tokio::test]
async fn a_reply_without_a_way_back_is_not_sent_and_no_permission_is_missing() {
    let mut server = NatsServer::start().await;
    let connection = server.connect("projection").await;
    let service = RequestServer::start(&connection, "projection").await.expect("started");
    let (started, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (entered, open) = (started.clone(), gate.clone());
    service
        .query::<GetArticle, _, _>(move |_| {
            let (entered, open) = (entered.clone(), open.clone());
            async move {
                entered.notify_one();
                open.notified().await;
                Ok(QueryReply::Refused(Refusal::new(RefusalKind::NotFound, "late", "no")))
            }
        })
        .await
        .expect("registered");
    service.ready().await.expect("ready");
    let client = RequestClient::new(server.connect("gateway").await, Duration::from_secs(2));
    let id = AggregateId::from(uuid::Uuid::now_v7());
    let asked = tokio::spawn(async move {
        let query = QueryEnvelope::new(GetArticle { id });
        client.ask(&query).await
    });
    started.notified().await;
    server.kill();
    server.restart();
    eventually("the second connection", || async {
        let link = *connection.link().borrow();
        (link.connected && link.connects == 2).then_some(())
    })
    .await;
    gate.notify_one();
    service.stop().await;
    assert!(asked.await.expect("no panic").is_err());
    // A denial would arrive before the answer to this.
    let again = RequestServer::start(&connection, "projection").await.expect("started");
    again.ready().await.expect("ready");
    assert_eq!(*connection.permissions().borrow(), None);
}
