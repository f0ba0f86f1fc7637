use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use contracts::article::{Article, UpdateArticle};
use eventsourcing::{
    Actor, AggregateId, CommandEnvelope, OperationId, Refusal, RefusalKind, Reply,
};
use messaging::{CommandQueue, Operation, QueueServer, names, queue::Outcome};
use serde_json::json;
use test_support::{NatsServer, eventually, user};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The titles that were executed.
type Titles = Arc<Mutex<Vec<String>>>;

fn update(id: AggregateId, title: &str) -> CommandEnvelope<UpdateArticle> {
    let actor = Actor { user_id: user("ann"), roles: Vec::new() };
    let (title, content) = (title.to_owned(), "C".to_owned());
    CommandEnvelope::new(actor, UpdateArticle { id, title, content, slug: None, tags: None })
}

fn article() -> AggregateId {
    uuid::Uuid::now_v7().into()
}

/// A service that refuses everything, once the title allows it.
async fn serve(
    server: &NatsServer,
    executed: &Titles,
) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let stop = CancellationToken::new();
    let connection = server.connect("article").await;
    let mut queue = QueueServer::new(connection, "article", stop.clone());
    let executed = executed.clone();
    queue.command::<UpdateArticle, _, _>(move |command: CommandEnvelope<UpdateArticle>| {
        let executed = executed.clone();
        async move {
            let title = command.data.title;
            executed.lock().expect("unpoisoned").push(title.clone());
            assert_ne!(title, "panic");
            Ok(Reply::<Article>::Refused(Refusal::new(RefusalKind::Conflict, "no", title)))
        }
    });
    (stop, tokio::spawn(queue.run()))
}

async fn end(queue: &CommandQueue, id: OperationId) -> Operation {
    eventually("the operation to end", || async {
        let operation = queue.operation(id).await.ok().flatten()?;
        operation.outcome.is_some().then_some(operation)
    })
    .await
}

#[tokio::test]
async fn a_command_that_has_its_outcome_is_not_executed_again() {
    let server = NatsServer::provisioned().await;
    let queue = CommandQueue::new(server.connect("gateway").await);
    let command = update(article(), "once");
    let operation = queue.enqueue(command.clone()).await.expect("queued");
    // As after a lost acknowledgement: the same command, three times in the queue.
    let body = serde_json::to_string(&command).expect("JSON");
    for _ in 0..2 {
        server.store(&names::queued_command("article", "update"), &[], &body).await;
    }
    let executed = Titles::default();
    let (stop, task) = serve(&server, &executed).await;
    let ended = end(&queue, operation.id).await;
    eventually("the queue to be empty", || async {
        (server.messages_in(names::COMMANDS).await == 0).then_some(())
    })
    .await;
    assert_eq!(*executed.lock().expect("unpoisoned"), ["once"]);
    // The first outcome stays, and is what a repeat gets.
    assert_eq!(queue.enqueue(command).await.expect("known"), ended);
    assert_eq!(server.messages_in(names::COMMANDS).await, 0);
    stop.cancel();
    task.await.expect("an orderly end");
}

#[tokio::test]
async fn a_panic_fails_its_command_and_holds_up_nobody() {
    let server = NatsServer::provisioned().await;
    let queue = CommandQueue::new(server.connect("gateway").await);
    let id = article();
    let mut operations = Vec::new();
    for title in ["panic", "after it"] {
        operations.push(queue.enqueue(update(id, title)).await.expect("queued"));
    }
    let executed = Titles::default();
    let (stop, task) = serve(&server, &executed).await;
    let failed = end(&queue, operations[0].id).await.outcome.expect("an outcome");
    assert_eq!(failed.reply, None);
    let after = end(&queue, operations[1].id).await.outcome.expect("an outcome");
    assert!(matches!(after.reply, Some(Reply::Refused(refusal)) if refusal.detail == "after it"));
    stop.cancel();
    task.await.expect("an orderly end");
}

#[tokio::test]
async fn two_replicas_share_the_queue_and_every_command_has_one_outcome() {
    let server = NatsServer::provisioned().await;
    let queue = CommandQueue::new(server.connect("gateway").await);
    let executed = Titles::default();
    let (one, other) = (serve(&server, &executed).await, serve(&server, &executed).await);
    let mut ids = HashSet::new();
    for number in 0..100 {
        ids.insert(queue.enqueue(update(article(), &number.to_string())).await.expect("queued").id);
    }
    for id in &ids {
        tokio::time::timeout(Duration::from_secs(20), end(&queue, *id)).await.expect("in time");
    }
    assert_eq!(executed.lock().expect("unpoisoned").len(), 100);
    for (stop, task) in [one, other] {
        stop.cancel();
        task.await.expect("an orderly end");
    }
}

#[tokio::test]
async fn the_first_outcome_that_is_kept_stays() {
    let server = NatsServer::provisioned().await;
    let queue = CommandQueue::new(server.connect("gateway").await);
    let operation = queue.enqueue(update(article(), "slow")).await.expect("queued");
    let stop = CancellationToken::new();
    let mut slow = QueueServer::new(server.connect("article").await, "article", stop.clone());
    let (started, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (entered, open) = (started.clone(), gate.clone());
    slow.command::<UpdateArticle, _, _>(move |_: CommandEnvelope<UpdateArticle>| {
        let (entered, open) = (entered.clone(), open.clone());
        async move {
            entered.notify_one();
            open.notified().await;
            Ok(Reply::<Article>::Refused(Refusal::new(RefusalKind::Conflict, "late", "too late")))
        }
    });
    let task = tokio::spawn(slow.run());
    started.notified().await;
    // Another replica is done while this one is still at it.
    let reply = Some(Reply::Refused(Refusal::new(RefusalKind::Conflict, "first", "first")));
    let outcome = Outcome { finished_at: operation.created_at, reply };
    let first = Operation { outcome: Some(outcome), ..operation.clone() };
    let body = serde_json::to_string(&first).expect("JSON");
    server.store(&names::operation("article", operation.id), &[], &body).await;
    gate.notify_one();
    eventually("the queue to be empty", || async {
        (server.messages_in(names::COMMANDS).await == 0).then_some(())
    })
    .await;
    assert_eq!(queue.operation(operation.id).await.expect("read"), Some(first));
    stop.cancel();
    task.await.expect("an orderly end");
}

#[tokio::test]
async fn a_list_in_the_queue_is_no_command_and_holds_up_nobody() {
    let server = NatsServer::provisioned().await;
    let queue = CommandQueue::new(server.connect("gateway").await);
    // The members of a command that would be executed, without their names.
    let command = serde_json::to_value(update(article(), "list")).expect("JSON");
    let member = |name: &str| command[name].clone();
    let (none, no) = (json!([]), json!(null));
    let list = json!([
        member("id"),
        member("actor"),
        member("correlation_id"),
        no,
        none,
        none,
        member("issued_at"),
        no,
        member("data"),
    ]);
    server.store(&names::queued_command("article", "update"), &[], &list.to_string()).await;
    let operation = queue.enqueue(update(article(), "object")).await.expect("queued");
    let executed = Titles::default();
    let (stop, task) = serve(&server, &executed).await;
    end(&queue, operation.id).await;
    eventually("the list alone to be left, for a newer release", || async {
        (server.messages_in(names::COMMANDS).await == 1).then_some(())
    })
    .await;
    assert_eq!(*executed.lock().expect("unpoisoned"), ["object"]);
    stop.cancel();
    task.await.expect("an orderly end");
}
