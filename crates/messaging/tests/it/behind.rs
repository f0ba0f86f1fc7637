//! A projector that is far behind the end of the stream.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use async_nats::jetstream::consumer::pull::Config;
use eventsourcing::RecordedEvent;
use messaging::{
    Mark,
    consumer::{Projector, Rejected, run_projector},
};
use test_support::{ArticleWriter, NatsServer, eventually};
use tokio_util::sync::CancellationToken;

/// More than is read from the server at once, several times.
const EVENTS: u64 = 2500;

/// Tables in memory, which take nothing until `open`: how many events each transaction had, and the position.
#[derive(Clone, Default)]
struct Busy {
    committed: Arc<Mutex<(Vec<usize>, u64)>>,
    open: CancellationToken,
}

impl Busy {
    fn committed(&self) -> (Vec<usize>, u64) {
        self.committed.lock().expect("unpoisoned").clone()
    }
}

impl Projector for Busy {
    const NAME: &'static str = "projection";
    type Changes = usize;
    type Error = Infallible;

    async fn position(&self) -> Result<u64, Infallible> {
        Ok(self.committed().1)
    }

    async fn fold(
        &self,
        events: &[RecordedEvent],
        _: &[Rejected],
    ) -> Result<(usize, Vec<Rejected>), Infallible> {
        Ok((events.len(), Vec::new()))
    }

    async fn commit(&self, events: usize, from: u64, to: Mark) -> Result<bool, Infallible> {
        self.open.cancelled().await;
        let mut committed = self.committed.lock().expect("unpoisoned");
        assert_eq!(committed.1, from);
        committed.0.push(events);
        committed.1 = to.position;
        Ok(true)
    }
}

#[tokio::test]
async fn it_reads_on_while_its_database_is_busy_and_takes_all_of_that_at_once() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    for _ in 0..EVENTS {
        writer.create("ann", "T", "C").await;
    }
    let (connection, tables) = (server.connect("projection").await, Busy::default());
    let (projector, stop) = (tables.clone(), CancellationToken::new());
    let stopping = stop.clone();
    let running =
        tokio::spawn(async move { run_projector(&connection, &projector, &stopping).await });
    let admin = async_nats::jetstream::new(server.client("admin").await);
    eventually("all events to be read", || async {
        let consumer = admin.get_consumer_from_stream::<Config, _, _>("projection", "EVENTS");
        (consumer.await.ok()?.cached_info().num_pending == 0).then_some(())
    })
    .await;
    tables.open.cancel();
    let sizes = eventually("all events to be committed", || async {
        let (sizes, position) = tables.committed();
        (position == EVENTS).then_some(sizes)
    })
    .await;
    assert!(sizes.iter().any(|size| *size > 1000), "{sizes:?}");
    stop.cancel();
    running.await.expect("no panic").expect("no error");
}
