//! What consumers gave up on, and the command line for it.

use eventsourcing::AggregateId;
use serde_json::json;
use test_support::{ArticleWriter, eventually, http_client};

use crate::{app::send, processes::Installation};

/// The output of `newswire dead` and whether it succeeded.
fn dead(all: &Installation, arguments: &[&str]) -> (String, bool) {
    let output = all.command("newswire", "admin").arg("dead").args(arguments).output();
    let output = output.expect("newswire runs");
    let text = String::from_utf8(output.stdout).expect("text");
    (text + &String::from_utf8(output.stderr).expect("text"), output.status.success())
}

/// An article with a dead letter, and another one parked behind it, of either consumer.
pub async fn poison(all: &Installation) -> AggregateId {
    let writer = ArticleWriter::new(&all.server).await;
    let mut article = writer.create("ann", "poisoned", "C").await;
    // Of a version from the future; what comes after it is parked behind it.
    writer.unknown(&mut article).await;
    writer.update(&mut article, "parked", "C").await;
    eventually("both consumers to give up", || async {
        (all.server.messages_in("DEAD_LETTERS").await == 4).then_some(())
    })
    .await;
    article.id
}

#[tokio::test]
async fn dead_letters_are_listed_shown_tried_again_and_dropped() {
    let all = Installation::start().await;
    let article = poison(&all).await;

    let (listed, _) = dead(&all, &["list", "--consumer", "notification"]);
    let lines: Vec<&str> = listed.lines().filter(|line| !line.starts_with('{')).collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert!(
        lines[0].contains("unknown schema version 99") && lines[1].contains("parked"),
        "{listed}"
    );
    let number = lines[0].split(' ').next().expect("a number");
    let (shown, _) = dead(&all, &["show", number]);
    assert!(
        shown.contains("ce-schemaversion: 99") && shown.contains("\"author_id\":\"ann\""),
        "{shown}"
    );

    let (refused, succeeded) = dead(&all, &["drop"]);
    assert!(!succeeded && refused.contains("--all"), "{refused}");
    let (dry, _) = dead(&all, &["redrive", "--all", "--dry-run"]);
    assert_eq!(dry.matches("would redrive").count(), 2, "{dry}");
    let (tried, succeeded) = dead(&all, &["redrive", "--all"]);
    assert!(!succeeded && tried.contains("0 redriven, 2 aggregates still fail"), "{tried}");
    assert!(tried.contains("unknown schema version 99"), "{tried}");
    assert_eq!(all.server.messages_in("DEAD_LETTERS").await, 4);

    // Without the poison the notification goes on; the read model has a gap and says so.
    let (dropped, _) = dead(&all, &["drop", "--reason", "unknown schema version"]);
    assert!(dropped.contains("2 dropped"), "{dropped}");
    let (tried, succeeded) = dead(&all, &["redrive", "--aggregate", &article.to_string()]);
    assert!(!succeeded && tried.contains("1 redriven, 1 aggregates still fail"), "{tried}");
    assert!(tried.contains("version 3 does not follow"), "{tried}");
    eventually("the mail about what was parked", || async {
        let mails = crate::app::mails(all.dir.path());
        mails.iter().any(|mail| mail.contains("parked")).then_some(())
    })
    .await;

    let (dropped, _) = dead(&all, &["drop", "--all"]);
    assert!(dropped.contains("1 dropped"), "{dropped}");
    let body = json!({ "title": "T", "content": "C" });
    let url = format!("{}/api/articles", all.url());
    let created = send(http_client().post(url).bearer_auth(all.token("ann")).json(&body)).await;
    assert_eq!(created.status, 201, "others were never held up");
    let (listed, succeeded) = dead(&all, &["list"]);
    assert!(succeeded && listed.lines().all(|line| line.starts_with('{')), "{listed}");
}
