//! A disk that fills and empties while articles are posted: nothing that was acknowledged is lost, `/readyz` does not say
//! ready while it cannot write or read, and everything heals by itself.
//!
//! `make test` runs two rounds of each, `make chaos` ten. `NEWSWIRE_DISK_ROUNDS` chooses how many.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use test_support::{SmallDisk, eventually, http_client};

use crate::{
    app::{App, setting},
    ledger::{self, Driver, Heard},
};

/// The size of the disk in megabytes.
const DISK: u32 = 400;
/// The pause of each of those who post.
const PAUSE: Duration = Duration::from_millis(40);
/// Acknowledged writes before the disk is full: some are in flight then.
const BETWEEN: usize = 40;
/// How long it stays full.
const FULL: Duration = Duration::from_secs(3);
/// How often it is filled meanwhile: the server frees some of it.
const FILL_PAUSE: Duration = Duration::from_millis(50);
/// How often readiness is looked at.
const LOOK: Duration = Duration::from_millis(25);
/// How long it may be ready although it is not able.
const WRONGLY_READY: Duration = Duration::from_secs(2);
/// How long it may take after there is room until everything works.
const HEALED: Duration = Duration::from_secs(10);
/// How many rounds `make chaos` has, beside which nothing else runs: `make test` allows readiness thrice the time.
const ALONE: u64 = 10;

/// Whether something that is tried all the time succeeds, as two growing counts tell.
#[derive(Default)]
struct Ability {
    succeeded: usize,
    failed: usize,
    /// When it succeeded last.
    last: Option<Instant>,
    /// Whether it has failed since.
    is_unable: bool,
    longest: Duration,
}

impl Ability {
    fn look(&mut self, succeeded: usize, failed: usize, is_ready: bool) {
        let now = Instant::now();
        if succeeded > self.succeeded {
            (self.last, self.is_unable) = (Some(now), false);
        } else if failed > self.failed {
            self.is_unable = true;
        }
        (self.succeeded, self.failed) = (succeeded, failed);
        match self.last {
            Some(last) if self.is_unable && is_ready => {
                self.longest = self.longest.max(now.duration_since(last));
            }
            // It was rightly not ready: what follows is counted from here.
            _ if self.is_unable => self.last = Some(now),
            _ => {}
        }
    }
}

fn failed(driver: &Driver) -> usize {
    driver.refused() + driver.unknown()
}

/// Reads what was acknowledged last, again and again.
struct Reader {
    read: AtomicUsize,
    refused: AtomicUsize,
}

async fn read(url: String, driver: Arc<Driver>, reader: Arc<Reader>, stop: Arc<AtomicBool>) {
    let client = http_client();
    while !stop.load(Ordering::SeqCst) {
        let request = client.get(format!("{url}/api/articles?limit=1"));
        let answer = request.header("newswire-position", driver.position()).send().await;
        let is_read = answer.is_ok_and(|answer| answer.status() == 200);
        let count = if is_read { &reader.read } else { &reader.refused };
        count.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Watches until `stop`; tells how long it was ready at most while nothing could be written, and while nothing could be read.
async fn watch(
    url: String,
    driver: Arc<Driver>,
    reader: Arc<Reader>,
    stop: Arc<AtomicBool>,
) -> (Duration, Duration) {
    let client = http_client();
    let (mut writing, mut reading) = (Ability::default(), Ability::default());
    while !stop.load(Ordering::SeqCst) {
        let answer = client.get(format!("{url}/readyz")).send().await;
        let is_ready = answer.is_ok_and(|answer| answer.status() == 200);
        writing.look(driver.acknowledged(), failed(&driver), is_ready);
        let (read, refused) = (&reader.read, &reader.refused);
        reading.look(read.load(Ordering::SeqCst), refused.load(Ordering::SeqCst), is_ready);
        tokio::time::sleep(LOOK).await;
    }
    (writing.longest, reading.longest)
}

/// Whether it is ready, has written since `acknowledged`, and shows that.
async fn is_able(app: &App, driver: &Driver, acknowledged: usize) -> Option<()> {
    if driver.acknowledged() <= acknowledged {
        return None;
    }
    let list = app.request(Method::GET, "/api/articles?limit=1");
    let list = list.header("newswire-position", driver.position()).send().await.ok()?;
    let ready = app.anonymous(Method::GET, "/readyz").send().await.ok()?;
    (list.status() == 200 && ready.status() == 200).then_some(())
}

/// Fills the disk, and makes room again; tells how long it took then until everything worked.
async fn round(app: &App, disk: &SmallDisk, driver: &Driver) -> Duration {
    let wanted = driver.acknowledged() + BETWEEN;
    eventually("writes to be acknowledged", || async {
        (driver.acknowledged() >= wanted).then_some(())
    })
    .await;
    let (full, failed_before) = (Instant::now(), failed(driver));
    eventually("a full disk to be noticed", || async {
        disk.fill();
        let ready = app.anonymous(Method::GET, "/readyz").send().await.ok()?;
        (ready.status() == 503 && failed(driver) > failed_before).then_some(())
    })
    .await;
    while full.elapsed() < FULL {
        disk.fill();
        tokio::time::sleep(FILL_PAUSE).await;
    }
    disk.empty();
    let (room, acknowledged) = (Instant::now(), driver.acknowledged());
    eventually("everything to work again", || is_able(app, driver, acknowledged)).await;
    room.elapsed()
}

async fn rounds(what: &str, part: &str) {
    let disk = SmallDisk::mount(DISK);
    let app = App::start_with_data_in(disk.path(), part).await;
    let driver = Arc::new(Driver::start_with_pauses(&app.url(""), app.token(), PAUSE));
    let reader = Arc::new(Reader { read: AtomicUsize::new(0), refused: AtomicUsize::new(0) });
    let stop = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn(read(app.url(""), driver.clone(), reader.clone(), stop.clone()));
    let watching = tokio::spawn(watch(app.url(""), driver.clone(), reader, stop.clone()));
    let mut longest = Duration::ZERO;
    let rounds = setting("NEWSWIRE_DISK_ROUNDS", 2);
    for _ in 0..rounds {
        longest = longest.max(round(&app, &disk, &driver).await);
    }
    stop.store(true, Ordering::SeqCst);
    reading.await.expect("no panic");
    let (writing, reading) = watching.await.expect("no panic");
    let (refused, unknown) = (driver.refused(), driver.unknown());
    let heard = Arc::into_inner(driver).expect("nobody else has it").finish().await;
    let acknowledged = judge(&app, &heard).await;
    println!(
        "{what}, {rounds} rounds: {acknowledged} acknowledged, none lost; {refused} refused with 503, {unknown} unknown; ready for at most {writing:?} without writing and {reading:?} \
         without reading; able {longest:?} after there was room at the latest"
    );
    let bound = if rounds < ALONE { 3 * WRONGLY_READY } else { WRONGLY_READY };
    assert!(writing < bound, "ready for {writing:?} without writing");
    assert!(reading < bound, "ready for {reading:?} without reading");
    assert!(longest < HEALED, "able {longest:?} after there was room");
}

/// Everything that was acknowledged is there, each with one mail; tells how much that is.
async fn judge(app: &App, heard: &BTreeMap<String, Heard>) -> usize {
    let position = |heard: &Heard| match heard {
        Heard::Acknowledged(position) => Some(*position),
        Heard::Refused | Heard::Unknown => None,
    };
    let acknowledged: Vec<u64> = heard.values().filter_map(position).collect();
    let last = *acknowledged.iter().max().expect("some were acknowledged");
    let items = eventually("a mail for each article", || async {
        let items = app.list(last).await;
        (app.mails().len() >= items.len()).then_some(items)
    })
    .await;
    ledger::judge(heard, &items, &app.mails());
    acknowledged.len()
}

// The disk is filled without waiting, and those who post and read must not wait with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_with_all_data_fills_and_empties() {
    rounds("all data", "").await;
}

// The disk is filled without waiting, and those who post and read must not wait with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_with_the_stream_fills_and_empties() {
    rounds("the stream alone", "nats").await;
}
