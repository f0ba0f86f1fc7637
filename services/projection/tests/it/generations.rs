//! Rebuilding beside the live generation, on both databases.

use contracts::article::ListArticles;
use messaging::consumer::DeadLetterBox;
use projection::{
    ProjectionSettings,
    control::{Question, State},
};
use test_support::{ArticleWriter, NatsServer, PostgresServer};

use crate::service::{Admin, TestService, folder};

async fn titles(service: &TestService, position: u64) -> Vec<String> {
    let list = ListArticles { limit: Some(100), ..ListArticles::default() };
    service.list(list, position).await.items.into_iter().map(|item| item.title).collect()
}

/// A rebuild that is compared row for row, a switch, a rollback, and writes all the while.
async fn a_rebuild_takes_the_place_of_the_live_one(projection: ProjectionSettings) {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let writer = ArticleWriter::new(&server).await;
    let mut first = writer.create("ann", "first", "C").await;
    for number in 0..30 {
        writer.update(&mut first, &format!("first {number}"), "C").await;
    }
    let service = TestService::start_with(&server, folder.path(), projection.clone()).await;
    let admin = Admin::new(&server).await;
    assert_eq!(titles(&service, first.head.position).await, ["first 29"]);
    assert_eq!(admin.rebuild(false, true).await.generations.len(), 2);
    let second = writer.create("bob", "second", "C").await;
    let live = admin.live(2).await;
    assert_eq!((live.reason, live.skipped), (None, Some(0)), "it equals the one before");
    assert_eq!(admin.states().await, [(1, State::Previous), (2, State::Live)]);
    assert_eq!(titles(&service, second.head.position).await, ["second", "first 29"]);
    // The one before gets what it has missed before it is live again.
    let third = writer.create("bob", "third", "C").await;
    admin.ask(Question::Rollback {}).await;
    admin.live(1).await;
    assert_eq!(titles(&service, third.head.position).await, ["third", "second", "first 29"]);
    let fourth = writer.create("bob", "fourth", "C").await;
    assert_eq!(titles(&service, fourth.head.position).await.len(), 4);
    // Of those that were live before, one is kept.
    admin.rebuild(false, true).await;
    admin.live(3).await;
    let states = || async {
        let states = admin.states().await;
        (states == [(1, State::Previous), (3, State::Live)]).then_some(())
    };
    test_support::eventually("older generations to be removed", states).await;
    service.stop().await;
    // All of it is remembered.
    let service = TestService::start_with(&server, folder.path(), projection).await;
    let fifth = writer.create("bob", "fifth", "C").await;
    assert_eq!(titles(&service, fifth.head.position).await.len(), 5);
    assert_eq!(admin.states().await, [(1, State::Previous), (3, State::Live)]);
    service.stop().await;
}

#[tokio::test]
async fn a_rebuild_takes_the_place_of_the_live_one_on_sqlite() {
    a_rebuild_takes_the_place_of_the_live_one(ProjectionSettings::default()).await;
}

#[tokio::test]
async fn a_rebuild_takes_the_place_of_the_live_one_on_postgres() {
    let postgres = PostgresServer::start().await;
    let database = postgres.url().into();
    let settings = ProjectionSettings { database, ..ProjectionSettings::default() };
    a_rebuild_takes_the_place_of_the_live_one(settings).await;
}

#[tokio::test]
async fn one_that_is_held_follows_and_waits_and_survives_a_restart() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let writer = ArticleWriter::new(&server).await;
    let service = TestService::start(&server, folder.path()).await;
    let admin = Admin::new(&server).await;
    assert!(admin.try_ask(Question::Promote {}).await.is_err(), "there is nothing to promote");
    assert!(admin.try_ask(Question::Rollback {}).await.is_err(), "nor to go back to");
    admin.rebuild(true, false).await;
    let rebuild = Question::Rebuild { name: "articles".to_owned(), hold: false, verify: false };
    assert!(admin.try_ask(rebuild).await.is_err(), "one at a time");
    let unknown = Question::Rebuild { name: "stars".to_owned(), hold: false, verify: false };
    assert!(admin.try_ask(unknown).await.expect_err("unknown").contains("articles"));
    let article = writer.create("ann", "while it is held", "C").await;
    let followed = |found: &projection::control::GenerationStatus| {
        found.held && found.position == Some(article.head.position)
    };
    admin.until(2, followed).await;
    service.stop().await;
    let service = TestService::start(&server, folder.path()).await;
    let last = writer.create("ann", "after the restart", "C").await;
    admin.until(2, |found| found.position == Some(last.head.position)).await;
    assert_eq!(admin.states().await, [(1, State::Live), (2, State::Building)]);
    admin.ask(Question::Promote {}).await;
    admin.live(2).await;
    assert_eq!(titles(&service, last.head.position).await.len(), 2);
    service.stop().await;
}

#[tokio::test]
async fn one_that_is_cancelled_leaves_the_live_one_alone() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let writer = ArticleWriter::new(&server).await;
    let service = TestService::start(&server, folder.path()).await;
    let admin = Admin::new(&server).await;
    admin.rebuild(true, false).await;
    admin.ask(Question::Cancel {}).await;
    assert_eq!(admin.states().await, [(1, State::Live), (2, State::Failed)]);
    let article = writer.create("ann", "goes on", "C").await;
    assert_eq!(titles(&service, article.head.position).await, ["goes on"]);
    // The next one makes the failed one go.
    admin.rebuild(false, true).await;
    admin.live(3).await;
    let states = || async {
        let states = admin.states().await;
        (states == [(1, State::Previous), (3, State::Live)]).then_some(())
    };
    test_support::eventually("the failed one to be removed", states).await;
    // A rollback that is given up leaves the previous one where it was.
    admin.ask(Question::Rollback {}).await;
    let cancelled = admin.try_ask(Question::Cancel {}).await.is_ok();
    let state = if cancelled { State::Previous } else { State::Live };
    admin.until(1, |found| found.state == state).await;
    service.stop().await;
}

#[tokio::test]
async fn one_that_lacks_events_is_held_until_somebody_has_seen_that() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let writer = ArticleWriter::new(&server).await;
    let service = TestService::start(&server, folder.path()).await;
    let admin = Admin::new(&server).await;
    let mut poisoned = writer.create("ann", "poisoned", "C").await;
    writer.unknown(&mut poisoned).await;
    let fine = writer.create("bob", "fine", "C").await;
    assert_eq!(titles(&service, fine.head.position).await.len(), 2);
    // The live one has given up on it too: nothing is lost by the switch.
    admin.rebuild(false, true).await;
    assert_eq!(admin.live(2).await.skipped, Some(1));
    assert_eq!(server.messages_in("DEAD_LETTERS").await, 1);
    // Somebody drops the dead letter, which changes nothing about that.
    let letters = DeadLetterBox::new(server.connect("admin").await);
    drop_all(&letters).await;
    admin.rebuild(false, false).await;
    assert_eq!(admin.live(3).await.skipped, Some(1));
    assert_eq!(server.messages_in("DEAD_LETTERS").await, 1, "it is one again");
    // The live one gets it: as by a redrive, with newer code.
    let live = format!("sqlite:{}", folder.path().join("read-models.3.db").display());
    let live = sqlx::SqlitePool::connect(&live).await.expect("the live generation");
    sqlx::query("DELETE FROM skipped").execute(&live).await.expect("deleted");
    // What is among the dead letters is not what counts.
    admin.rebuild(false, false).await;
    let held = admin.until(4, |found| found.held).await;
    assert!(held.reason.is_some_and(|reason| reason.contains("the live generation has events")));
    admin.ask(Question::Cancel {}).await;
    admin.ask(Question::Rollback {}).await;
    let held = admin.until(2, |found| found.held).await;
    assert!(held.reason.is_some_and(|reason| reason.contains("the live generation has events")));
    // Whoever has read that may have it all the same.
    admin.ask(Question::Promote {}).await;
    admin.live(2).await;
    assert_eq!(titles(&service, fine.head.position).await.len(), 2);
    service.stop().await;
}

async fn drop_all(letters: &DeadLetterBox) {
    for letter in letters.page(None, 0).await.expect("read") {
        assert!(letters.remove(letter.sequence).await.expect("removed"));
    }
}

#[tokio::test]
async fn older_code_writes_nothing_into_what_newer_code_has_made() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let writer = ArticleWriter::new(&server).await;
    let service = TestService::start(&server, folder.path()).await;
    let first = writer.create("ann", "T", "C").await;
    assert_eq!(titles(&service, first.head.position).await, ["T"]);
    service.stop().await;
    let catalog = format!("sqlite:{}", folder.path().join("read-models.db").display());
    let catalog = sqlx::SqlitePool::connect(&catalog).await.expect("the catalog");
    let newer = sqlx::query("UPDATE generations SET version = version + 1");
    newer.execute(&catalog).await.expect("changed");
    let live = format!("sqlite:{}", folder.path().join("read-models.1.db").display());
    let live = sqlx::SqlitePool::connect(&live).await.expect("the live generation");
    for database in [&catalog, &live] {
        let migrated =
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                        VALUES (9999, 'newer', TRUE, x'00', 0)";
        sqlx::query(migrated).execute(database).await.expect("inserted");
    }
    live.close().await;
    let settings = ProjectionSettings { rebuild_on_change: true, ..ProjectionSettings::default() };
    let service = TestService::start_with(&server, folder.path(), settings).await;
    let second = writer.create("ann", "T", "C").await;
    assert_eq!(titles(&service, first.head.position).await, ["T"], "it answers");
    let admin = Admin::new(&server).await;
    assert_eq!(admin.states().await, [(1, State::Live)], "no rebuild goes back by itself");
    // An operator may. Then it writes its own, and what is live when that has taken its place.
    admin.rebuild(false, false).await;
    admin.live(2).await;
    let position = admin.until(1, |found| found.state == State::Previous).await.position;
    assert_eq!(position, Some(first.head.position), "nothing was written into it");
    assert_eq!(titles(&service, second.head.position).await.len(), 2);
    let third = writer.create("ann", "T", "C").await;
    assert_eq!(titles(&service, third.head.position).await.len(), 3);
    service.stop().await;
}

#[tokio::test]
async fn a_changed_version_starts_a_rebuild_if_the_setting_says_so() {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let writer = ArticleWriter::new(&server).await;
    let service = TestService::start(&server, folder.path()).await;
    let article = writer.create("ann", "T", "C").await;
    assert_eq!(titles(&service, article.head.position).await, ["T"]);
    service.stop().await;
    let catalog = format!("sqlite:{}", folder.path().join("read-models.db").display());
    let catalog = sqlx::SqlitePool::connect(&catalog).await.expect("the catalog");
    let older = sqlx::query("UPDATE generations SET version = 0");
    older.execute(&catalog).await.expect("changed");
    catalog.close().await;
    let admin = Admin::new(&server).await;
    let service = TestService::start(&server, folder.path()).await;
    assert_eq!(admin.states().await, [(1, State::Live)], "only the log says that it is due");
    service.stop().await;
    let settings = ProjectionSettings { rebuild_on_change: true, ..ProjectionSettings::default() };
    let service = TestService::start_with(&server, folder.path(), settings).await;
    let live = admin.live(2).await;
    assert_eq!(live.version, admin.ask(Question::Status {}).await.version);
    assert_eq!(titles(&service, article.head.position).await, ["T"]);
    service.stop().await;
}
