//! Mail as others read it: what arrives is what was written, in any script.

use std::path::Path;

use serde_json::Value;
use test_support::{ArticleWriter, MailSink, NatsServer, eventually, read_mail};

use crate::{folder, start};

/// Twelve scripts, emoji with joiners and modifiers, and what a careless encoding breaks.
fn titles() -> Vec<String> {
    [
        "Grüße aus Köln",
        "Ελληνικά νέα",
        "Новости дня",
        "أخبار اليوم",
        "חדשות היום",
        "आज का समाचार",
        "วันนี้มีข่าวใหม่",
        "東京都の天気予報",
        "오늘의 뉴스",
        "今日新闻摘要",
        "ახალი ამბები",
        "Նորություններ",
        "ዛሬ ዜና",
        "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪",
        "plain ASCII",
        "=?utf-8?q?not_an_encoded_word?=",
        "a=?b?=c Köln =?utf-8?b?R3LDvMOfZQ==?=",
        "\"quoted\" <angle@brackets>, comma; semicolon",
        "e\u{301} decomposed, \u{200B}zero width, \u{202E}right to left",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain(["é", "x", "x é ", ".é", "=", "🦀"].map(|piece| {
        let count = 200 / piece.chars().count();
        piece.repeat(count).trim().to_owned()
    }))
    .collect()
}

async fn read(folder: &Path, count: usize) -> Vec<Value> {
    eventually(&format!("{count} messages"), || async {
        let written = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
        let whole =
            written.filter(|file| file.path().extension().is_none_or(|end| end != "partial"));
        (whole.count() >= count).then_some(())
    })
    .await;
    read_mail(folder)
}

#[track_caller]
fn assert_readable(mails: &[Value], titles: &[String]) {
    assert_eq!(mails.len(), titles.len());
    for title in titles {
        let subject = format!("Your article was published: {title}");
        let mail = mails.iter().find(|mail| mail["headers"]["subject"] == *subject);
        let mail =
            mail.unwrap_or_else(|| panic!("no mail has the subject {subject:?}: {mails:#?}"));
        let text = mail["text"].as_str().expect("a text");
        let begin = format!("Your article was published.\n\nTitle:   {title}\nArticle: ");
        assert!(text.starts_with(&begin), "{text:?}");
        assert!(text.contains("\nVersion: 1\nBy:      ann\nRequest: "), "{text:?}");
        assert_eq!(
            (&mail["content_type"], &mail["charset"]),
            (&"text/plain".into(), &"utf-8".into())
        );
        let headers = &mail["headers"];
        assert_eq!(headers["mime-version"], "1.0");
        assert_eq!(headers["auto-submitted"], "auto-generated");
        assert!(headers["date"].is_string() && headers["message-id"].is_string(), "{headers}");
        assert_eq!(mail["defects"], Value::Array(Vec::new()), "{mail:#}");
        // RFC 5322, 2.1.1; a relay need not know 8BITMIME (RFC 6152).
        assert!(mail["longest_line"].as_u64().is_some_and(|length| length <= 998), "{mail:#}");
        assert_eq!(mail["ascii"], true, "{mail:#}");
    }
}

#[tokio::test]
async fn titles_in_any_script_arrive_as_they_were_written() {
    let (server, files, by_smtp) = (NatsServer::provisioned().await, folder(), folder());
    let (sink, titles) = (MailSink::start().await, titles());
    let writer = ArticleWriter::new(&server).await;
    for title in &titles {
        writer.create("ann", title, "C").await;
    }
    let lifecycle = start(&server, files.path(), "");
    let written = read(&files.path().join("mail"), titles.len()).await;
    lifecycle.finish().await.expect("an orderly end");
    assert_readable(&written, &titles);
    // The same events once more, from a record of its own.
    server.delete_consumer("EVENTS", "notification").await;
    let lifecycle = start(&server, by_smtp.path(), &sink.url());
    let sent = read(&sink.folder(), titles.len()).await;
    lifecycle.finish().await.expect("an orderly end");
    assert_readable(&sent, &titles);
    let ids = |mails: &[Value]| {
        let id = |mail: &Value| mail["headers"]["message-id"].as_str().map(str::to_owned);
        mails.iter().map(id).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(ids(&written), ids(&sent), "the same event has the same Message-ID");
}

#[tokio::test]
async fn whoever_has_no_address_is_passed_over_and_unusual_ones_are_quoted() {
    let (server, folder, sink) =
        (NatsServer::provisioned().await, folder(), MailSink::start().await);
    let lifecycle = start(&server, folder.path(), &sink.url());
    let writer = ArticleWriter::new(&server).await;
    for user in ["@", "ann@-x.org", "@example.org"] {
        writer.create(user, "T", "C").await;
    }
    let quoted = ["sammy.davis.jr.", "j..doe", "a@b@c"];
    for user in quoted {
        writer.create(user, "T", "C").await;
    }
    let mails = read(&sink.folder(), quoted.len()).await;
    let mut to: Vec<_> = mails.iter().map(|mail| mail["to"].to_string()).collect();
    to.sort();
    assert_eq!(
        to,
        [
            r#"[["a@b","c"]]"#,
            r#"[["j..doe","example.org"]]"#,
            r#"[["sammy.davis.jr.","example.org"]]"#
        ]
    );
    // RFC 5321, 4.1.2: a dot-string has no such dots.
    for line in ["To: \"j..doe\"@example.org", "To: \"a@b\"@c"] {
        assert!(sink.messages().iter().any(|mail| mail.contains(line)), "{line}");
    }
    // Handled: the durable has nothing left, and nobody gave up on anything.
    server.acknowledged("EVENTS", "notification", 6).await;
    assert_eq!(server.messages_in("DEAD_LETTERS").await, 0);
    lifecycle.finish().await.expect("an orderly end");
}
