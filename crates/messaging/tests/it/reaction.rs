use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use contracts::article::{ArticleEvent, ArticleUpdated};
use eventsourcing::RecordedEvent;
use messaging::consumer::{self, Outcome, Reaction, RedriveError, Redriven, run_reaction};
use test_support::{ArticleWriter, NatsServer, eventually};
use tokio_util::sync::CancellationToken;

/// Notes what it reacts to; does what the title says.
#[derive(Default)]
struct Recorder {
    seen: Mutex<Vec<(String, u64)>>,
    /// Whether it can do by now what it gave up on before.
    mended: AtomicBool,
}

impl Recorder {
    fn seen(&self) -> Vec<(String, u64)> {
        self.seen.lock().expect("unpoisoned").clone()
    }
}

impl Reaction for Recorder {
    const NAME: &'static str = "notification";
    const CONTEXTS: &'static [&'static str] = &["article"];

    async fn react(&self, event: &RecordedEvent) -> Outcome {
        let title = match event.decode::<ArticleEvent>() {
            Ok(ArticleEvent::Created(event)) => event.title,
            Ok(ArticleEvent::Updated(ArticleUpdated { title, .. })) => title,
            Ok(ArticleEvent::Deleted(_)) => "deleted".to_owned(),
            Err(error) => return Outcome::GiveUp(error.to_string()),
        };
        self.seen.lock().expect("unpoisoned").push((title.clone(), event.event.version));
        match title.as_str() {
            "give up" if !self.mended.load(Ordering::SeqCst) => {
                Outcome::GiveUp("as the title says".to_owned())
            }
            "panic" => panic!("as the title says"),
            "retry once" if self.times("retry once") < 2 => Outcome::Retry("once".to_owned()),
            _ => Outcome::Done,
        }
    }
}

impl Recorder {
    fn times(&self, title: &str) -> usize {
        self.seen().iter().filter(|(seen, _)| seen == title).count()
    }
}

async fn run(
    server: &NatsServer,
    recorder: &Arc<Recorder>,
) -> (CancellationToken, tokio::task::JoinHandle<()>) {
    let (connection, recorder) = (server.connect("notification").await, recorder.clone());
    let stop = CancellationToken::new();
    let token = stop.clone();
    let task = tokio::spawn(async move { run_reaction(&connection, recorder, &token).await });
    (stop, task)
}

async fn times(recorder: &Recorder, title: &str, times: usize) {
    eventually(&format!("{times} reactions to {title}"), || async {
        (recorder.times(title) >= times).then_some(())
    })
    .await;
}

#[tokio::test]
async fn events_of_one_aggregate_come_in_order_even_behind_a_retry() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let recorder = Arc::new(Recorder::default());
    let mut article = writer.create("ann", "retry once", "C").await;
    for number in 2..=20 {
        writer.update(&mut article, &number.to_string(), "C").await;
    }
    let (stop, task) = run(&server, &recorder).await;
    times(&recorder, "20", 1).await;
    let versions: Vec<_> = recorder.seen().iter().map(|(_, version)| *version).collect();
    assert_eq!(versions, [1].into_iter().chain(1..=20).collect::<Vec<_>>());
    stop.cancel();
    task.await.expect("it ends when told to");
}

#[tokio::test]
async fn a_dead_letter_parks_its_aggregate_and_no_other() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let recorder = Arc::new(Recorder::default());
    for poison in ["give up", "panic"] {
        let mut poisoned = writer.create("ann", poison, "C").await;
        writer.update(&mut poisoned, "parked", "C").await;
    }
    writer.create("bob", "fine", "C").await;
    let (stop, task) = run(&server, &recorder).await;
    times(&recorder, "fine", 1).await;
    eventually("four dead letters", || async {
        (server.messages_in("DEAD_LETTERS").await == 4).then_some(())
    })
    .await;
    assert_eq!(recorder.times("parked"), 0);
    stop.cancel();
    task.await.expect("it ends when told to");
}

#[tokio::test]
async fn dead_letters_stay_what_they_are_when_everything_comes_again() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let recorder = Arc::new(Recorder::default());
    let mut article = writer.create("ann", "fine", "C").await;
    for title in ["give up", "parked", "parked"] {
        writer.update(&mut article, title, "C").await;
    }
    for round in 1..=3 {
        let (stop, task) = run(&server, &recorder).await;
        let last = format!("last {round}");
        writer.create("bob", &last, "C").await;
        times(&recorder, &last, 1).await;
        eventually("three dead letters", || async {
            (server.messages_in("DEAD_LETTERS").await == 3).then_some(())
        })
        .await;
        stop.cancel();
        task.await.expect("it ends when told to");
        server.delete_consumer("EVENTS", "notification").await;
    }
    assert_eq!((recorder.times("give up"), recorder.times("parked")), (1, 0));
    assert_eq!(server.messages_in("DEAD_LETTERS").await, 3);
}

#[tokio::test]
async fn a_restarted_consumer_goes_on_where_it_was() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let recorder = Arc::new(Recorder::default());
    for round in 0..3 {
        let (stop, task) = run(&server, &recorder).await;
        let title = format!("round {round}");
        writer.create("ann", &title, "C").await;
        times(&recorder, &title, 1).await;
        stop.cancel();
        task.await.expect("it ends when told to");
    }
    assert_eq!(recorder.seen().len(), 3);
}

#[tokio::test]
async fn a_killed_server_and_a_deleted_durable_are_survived() {
    let mut server = NatsServer::provisioned().await;
    let recorder = Arc::new(Recorder::default());
    let (stop, task) = run(&server, &recorder).await;
    ArticleWriter::new(&server).await.create("ann", "before", "C").await;
    times(&recorder, "before", 1).await;
    server.kill();
    server.restart();
    ArticleWriter::new(&server).await.create("ann", "after", "C").await;
    times(&recorder, "after", 1).await;
    let admin = async_nats::jetstream::new(server.client("admin").await);
    admin.delete_consumer_from_stream("notification", "EVENTS").await.expect("deleted");
    ArticleWriter::new(&server).await.create("ann", "last", "C").await;
    times(&recorder, "last", 1).await;
    stop.cancel();
    task.await.expect("it ends when told to");
}

#[tokio::test]
async fn a_redrive_after_the_fix_reacts_to_all_that_was_parked_in_order_and_once() {
    let server = NatsServer::provisioned().await;
    let writer = ArticleWriter::new(&server).await;
    let recorder = Arc::new(Recorder::default());
    let mut article = writer.create("ann", "give up", "C").await;
    for number in 2..=30 {
        writer.update(&mut article, &number.to_string(), "C").await;
    }
    let subject = format!("events.article.{}", article.id);
    let admin = server.connect("admin").await;
    let away = consumer::redrive(&admin, "notification", &subject).await;
    assert!(matches!(away, Err(RedriveError::NotRunning(_))), "{away:?}");

    let (stop, task) = run(&server, &recorder).await;
    eventually("thirty dead letters", || async {
        (server.messages_in("DEAD_LETTERS").await == 30).then_some(())
    })
    .await;
    let redrive = || consumer::redrive(&admin, "notification", &subject);
    let failure = Some("as the title says".to_owned());
    assert_eq!(redrive().await.expect("answered"), Redriven { done: 0, failure });
    assert_eq!(server.messages_in("DEAD_LETTERS").await, 30);

    recorder.mended.store(true, Ordering::SeqCst);
    let mut done = 0;
    // More events arrive meanwhile: each is parked behind the others, or follows them.
    let (redriven, ()) = tokio::join!(redrive(), async {
        for number in 31..=40 {
            writer.update(&mut article, &number.to_string(), "C").await;
        }
    });
    done += redriven.expect("answered").done;
    while server.messages_in("DEAD_LETTERS").await > 0 {
        done += redrive().await.expect("answered").done;
    }
    times(&recorder, "40", 1).await;
    assert!(done >= 30, "{done} were redriven");
    let versions: Vec<_> = recorder.seen().iter().map(|(_, version)| *version).collect();
    let (before, after) = versions.split_at(2);
    assert_eq!((before, after), (&[1, 1][..], &(1..=40).collect::<Vec<_>>()[..]));
    stop.cancel();
    task.await.expect("it ends when told to");
}
