//! The stream is replaced by another one below everything that was made from it.

mod exchange;

use std::time::Instant;

use serde_json::json;
use test_support::PATIENCE;

use self::exchange::Exchange;
use crate::{app::App, socket::Socket};

/// How a socket ends that heard of a stream that is gone.
const STREAM_REPLACED: &str = "4012 stream-replaced";

/// Every way to meet another stream, one after the other.
async fn no_exchange_leads_to_a_wrong_answer(app: App) {
    let mut it = Exchange::of(app);
    let first = it.write(4).await;
    it.judge(&[&first], &[]).await;
    assert_eq!(it.app.interrupt(), Some(0), "{}", it.app.log());
    it.keep("backup");
    it.app.run().await;
    let lost = it.write(5).await;
    it.judge(&[&first, &lost], &[]).await;

    let cursors = it.cursors().await;

    // A backup under databases that are ahead of it; then the positions are given out again.
    assert_eq!(it.app.interrupt(), Some(0), "{}", it.app.log());
    it.keep("longer");
    it.put("backup");
    let before = it.app.log().len();
    it.app.run().await;
    let second = it.write(5).await;
    it.judge(&[&first, &second], &lost).await;
    it.refuses(&cursors).await;
    it.said(before, "belongs to another stream");

    // Another folder.
    let before = it.app.log().len();
    it.exchange("nothing").await;
    let third = it.write(1).await;
    it.judge(&[&third], &second).await;
    it.said(before, "belongs to another stream");

    // A longer one.
    let before = it.app.log().len();
    it.exchange("longer").await;
    it.judge(&[&first, &lost], &third).await;
    it.said(before, "belongs to another stream");

    // Another one below a running installation, to which a socket listens.
    let mut socket = Socket::connect(&it.app).await;
    socket.subscribe(&json!(["articles"]), None).await;
    let before = it.app.log().len();
    it.exchange_below("backup").await;
    let fourth = it.write(6).await;
    it.judge(&[&first, &fourth], &[]).await;
    it.said(before, "belongs to another stream");
    assert_eq!(socket.end().await, STREAM_REPLACED);
    it.mailed_once(&[&first, &lost, &second, &third, &fourth]).await;
}

/// The stream of a running installation loses its last event, as in a power cut, and gives the position out again.
async fn a_stream_that_goes_back_is_another_one(app: App) {
    let mut it = Exchange::of(app);
    let first = it.write(3).await;
    it.judge(&[&first], &[]).await;
    assert_eq!(it.app.interrupt(), Some(0), "{}", it.app.log());
    it.keep("a second ago");
    it.app.run().await;
    let lost = it.write(1).await;
    it.judge(&[&first, &lost], &[]).await;
    let before = it.app.log().len();
    it.exchange_below("a second ago").await;
    let again = it.write(1).await;
    it.judge(&[&first, &again], &lost).await;
    assert_ne!(again[0].stream, lost[0].stream, "it has an identity of its own");
    it.said(before, "belongs to another stream");
}

/// Everything was put back together: only clients remember what the backup lacks.
async fn a_restored_whole_is_another_stream_once_it_is_renewed(app: App) {
    let mut it = Exchange::of(app);
    let first = it.write(3).await;
    it.judge(&[&first], &[]).await;
    assert_eq!(it.app.interrupt(), Some(0), "{}", it.app.log());
    it.keep_all("whole");
    it.app.run().await;
    let lost = it.write(2).await;
    assert_eq!(it.app.interrupt(), Some(0), "{}", it.app.log());
    it.put_all("whole");
    it.app.run().await;
    let shown = it.stream(&["show"]);
    assert_eq!(shown, format!("identity {}\nlast position 3\n", first[0].stream));
    let renewed = it.stream(&["renew", "--reason", "the backup of Monday"]);
    // Who runs hears of it a moment later.
    let (begin, mut again) = (Instant::now(), it.write(2).await);
    while again.last().is_some_and(|last| last.stream == first[0].stream) {
        assert!(begin.elapsed() < PATIENCE, "nobody has heard of {renewed}");
        again.extend(it.write(1).await);
    }
    let identity = &again.last().expect("some were written").stream;
    assert_eq!(renewed, format!("identity {identity}, before {}\n", first[0].stream));
    it.judge(&[&first, &again], &lost).await;
    let before = it.app.log();
    assert!(!before.contains("belongs to another stream"), "the read model stays: {before}");
}

/// A database has the articles: whatever the stream lost is published to it again.
#[tokio::test]
async fn articles_in_postgres_outlive_every_exchange_of_the_stream() {
    let mut it = Exchange::of(App::start_on_postgres().await);
    let first = it.write(4).await;
    it.judge(&[&first], &[]).await;
    assert_eq!(it.app.interrupt(), Some(0), "{}", it.app.log());
    it.keep("backup");
    it.app.run().await;
    let second = it.write(3).await;

    it.exchange("nothing").await;
    it.has_all(&[&first, &second]).await;
    it.is_refused(&second[0]).await;
    let third = it.write(1).await;
    it.has_all(&[&first, &second, &third]).await;

    let mut socket = Socket::connect(&it.app).await;
    socket.subscribe(&json!(["articles"]), None).await;
    it.exchange_below("backup").await;
    let fourth = it.write(1).await;
    it.has_all(&[&first, &second, &third, &fourth]).await;
    it.is_refused(&third[0]).await;
    assert_eq!(socket.end().await, STREAM_REPLACED);
    it.mailed_once(&[&first, &second, &third, &fourth]).await;
}

#[tokio::test]
async fn a_restored_whole_under_sqlite_is_another_stream_once_it_is_renewed() {
    a_restored_whole_is_another_stream_once_it_is_renewed(App::start().await).await;
}

#[tokio::test]
async fn another_stream_under_sqlite_leads_to_no_wrong_answer() {
    no_exchange_leads_to_a_wrong_answer(App::start().await).await;
}

#[tokio::test]
async fn another_stream_under_postgres_leads_to_no_wrong_answer() {
    no_exchange_leads_to_a_wrong_answer(App::start_with_projection_on_postgres().await).await;
}

#[tokio::test]
async fn a_stream_that_went_back_under_sqlite_is_another_one() {
    a_stream_that_goes_back_is_another_one(App::start().await).await;
}

#[tokio::test]
async fn a_stream_that_went_back_under_postgres_is_another_one() {
    a_stream_that_goes_back_is_another_one(App::start_with_projection_on_postgres().await).await;
}
