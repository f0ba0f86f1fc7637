//! `newswire import` of the sites of three generators, and of everything that is not a file.

mod many;
mod pipes;

use std::{
    collections::BTreeMap, fmt::Write as _, fs, os::unix::fs::symlink, path::PathBuf,
    process::Output,
};

use reqwest::Method;
use serde_json::{Value, json};
use test_support::eventually;

use crate::app::{App, send};

/// Exit code, summary, complaints.
fn import(app: &App, arguments: &[&str]) -> (Option<i32>, String, String) {
    let url = app.url("");
    let output = app.command(&["import", "--url", &url]).args(arguments).output();
    parts(&output.expect("newswire runs"))
}

fn parts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn site(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Title, slug and tags of every article, by title.
async fn articles(app: &App, count: usize) -> BTreeMap<String, (String, Vec<String>)> {
    let items = eventually("the articles to be listed", || async {
        let items = app.list(0).await;
        (items.len() == count).then_some(items)
    })
    .await;
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let entry = |item: &Value| {
        let tags = item["tags"].as_array().expect("tags").iter().map(text).collect();
        (text(&item["title"]), (text(&item["slug"]), tags))
    };
    items.iter().map(entry).collect()
}

fn expected(all: &[(&str, &str, &[&str])]) -> BTreeMap<String, (String, Vec<String>)> {
    let own = |tags: &[&str]| tags.iter().map(ToString::to_string).collect();
    all.iter().map(|(title, slug, tags)| ((*title).into(), ((*slug).into(), own(tags)))).collect()
}

#[tokio::test]
async fn a_site_of_hugo_has_its_titles_slugs_and_tags() {
    let app = App::start().await;
    let (code, summary, errors) = import(&app, &[&site("hugo")]);
    assert_eq!(code, Some(0), "{summary}{errors}");
    let end = "5 created, 0 already there, 0 refused, 0 failed, 3 left out\n";
    assert!(summary.ends_with(end), "{summary}");
    assert!(summary.contains("drafts; --drafts imports them: 1\n"), "{summary}");
    assert!(summary.contains("pages of sections: 2\n"), "{summary}");
    let all = expected(&[
        ("Quotes: \"inside\" and a colon", "quotes-inside", &["event-sourcing", "nats", "notes"]),
        ("Größe und 日本語", "-", &["größe"]),
        ("Front matter in JSON", "in-json", &["json", "1.10"]),
        ("Setext heading of two lines", "-", &[]),
        ("Written on Windows", "windows", &["crlf"]),
    ]);
    assert_eq!(articles(&app, 5).await, all);

    let (_, summary, _) = import(&app, &[&site("hugo"), "--drafts"]);
    let end = "1 created, 5 already there, 0 refused, 0 failed, 2 left out\n";
    assert!(summary.ends_with(end), "{summary}");
}

#[tokio::test]
async fn a_site_of_zola_has_its_titles_slugs_and_tags_and_says_what_it_lost() {
    let app = App::start().await;
    let (code, summary, errors) = import(&app, &[&site("zola")]);
    assert_eq!(code, Some(0), "{summary}{errors}");
    let end = "4 created, 0 already there, 1 refused, 0 failed, 2 left out\n";
    assert!(summary.ends_with(end), "{summary}");
    assert!(summary.contains("broken.md: the front matter cannot be read: "), "{summary}");
    assert!(summary.contains("2024-03-01-dated.md: k, l\n"), "{summary}");
    assert!(summary.contains("unicode.md: привет\n"), "{summary}");
    let ten = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let all = expected(&[
        ("First light", "first-light", &["rust", "web-dev", "news"]),
        ("Closed heading", "dated", &ten),
        ("Привет", "-", &[]),
        ("Without front matter", "-", &[]),
    ]);
    assert_eq!(articles(&app, 4).await, all);
}

#[tokio::test]
async fn a_site_of_jekyll_has_its_titles_slugs_and_tags() {
    let app = App::start().await;
    let (code, summary, errors) = import(&app, &[&site("jekyll"), "--concurrency", "1"]);
    assert_eq!(code, Some(0), "{summary}{errors}");
    let end = "4 created, 0 already there, 1 refused, 0 failed, 2 left out\n";
    assert!(summary.ends_with(end), "{summary}");
    assert!(summary.contains("without content: 1\n"), "{summary}");
    let all = expected(&[
        ("Some Post", "some-post", &["travel", "food", "life", "work"]),
        ("no-title", "no-title", &["one", "3.10"]),
        ("1.10", "version", &[]),
        ("Breaks", "breaks", &[]),
    ]);
    assert_eq!(articles(&app, 4).await, all);
    let newest_first = app.list(0).await;
    let newest_first: Vec<_> = newest_first.iter().map(|item| item["title"].as_str()).collect();
    assert_eq!(newest_first, [Some("Breaks"), Some("1.10"), Some("no-title"), Some("Some Post")]);
}

#[tokio::test]
async fn a_markdown_file_alone_is_markdown() {
    let app = App::start().await;
    let path = app.dir.path().join("post.md");
    fs::write(&path, "---\ntitle: T\nslug: t\n---\nText").expect("written");
    let (code, summary, _) = import(&app, &[&path.display().to_string()]);
    assert_eq!(code, Some(0), "{summary}");
    assert_eq!(articles(&app, 1).await, expected(&[("T", "t", &[])]));
}

#[tokio::test]
async fn what_became_of_each_article_is_told_apart() {
    let app = App::start().await;
    let path = app.dir.path().join("articles.jsonl");
    let write = |lines: &[Value]| {
        let text = lines.iter().fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").expect("text");
            text
        });
        fs::write(&path, text).expect("written");
    };
    let path_text = path.display().to_string();
    let article = |title: &str| json!({ "title": title, "content": "C" });
    write(&[article("stays"), article("goes"), article("changes")]);
    let (code, ..) = import(&app, &[&path_text]);
    assert_eq!(code, Some(0));
    // They are the importer's.
    let editor = app.mint(&["--user", "eve", "--role", "editor"]);
    let items = app.list(3).await;
    let gone = items.iter().find(|item| item["title"] == "goes").expect("it is listed");
    let id = gone["id"].as_str().expect("an id");
    let delete = app.anonymous(Method::DELETE, &format!("/api/articles/{id}"));
    assert_eq!(send(delete.bearer_auth(editor)).await.status, 204);
    articles(&app, 2).await;

    let mut changed = article("changes");
    changed["slug"] = json!("changed");
    let mut taken = article("new");
    taken["slug"] = json!("one");
    let mut again = article("newer");
    again["slug"] = json!("one");
    let long = json!({ "title": "long", "content": "é".repeat(10_001) });
    write(&[article("stays"), article("goes"), changed, taken]);
    let (_, summary, _) = import(&app, &[&path_text]);
    assert!(summary.contains("already there, with another slug or other tags: 1\n"), "{summary}");
    assert!(
        summary.contains(&format!(
            "deleted since an earlier import: 1\n  deleted: line 2: was {id}\n"
        )),
        "{summary}"
    );
    let end = "1 created, 2 already there, 0 refused, 0 failed, 1 deleted meanwhile\n";
    assert!(summary.ends_with(end), "{summary}");
    write(&[again, long]);
    let (code, summary, _) = import(&app, &[&path_text]);
    assert_eq!(code, Some(0), "{summary}");
    assert!(summary.contains("slug taken: 1\n  refused: line 1: one\n"), "{summary}");
    let too_long =
        "too long: 1\n  refused: line 2: content must be 1 to 10000 characters long, not 10001\n";
    assert!(summary.contains(too_long), "{summary}");
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_the_rest_is_imported() {
    let app = App::start().await;
    let site = app.dir.path().join("site");
    fs::create_dir(&site).expect("created");
    fs::write(site.join("a.md"), "# A\nText").expect("written");
    fs::write(site.join("b.md"), [0xff, 0xfe]).expect("written");
    symlink("nowhere", site.join("c.md")).expect("linked");
    let (code, summary, errors) = import(&app, &[&site.display().to_string()]);
    assert_eq!(code, Some(1), "{summary}{errors}");
    assert!(summary.contains("cannot be read: 2\n"), "{summary}");
    assert!(summary.contains("b.md: ") && summary.contains("c.md: "), "{summary}");
    assert!(summary.ends_with("1 created, 0 already there, 0 refused, 2 failed\n"), "{summary}");
}

#[tokio::test]
async fn a_dry_run_reads_everything_and_sends_nothing() {
    let app = App::start().await;
    let (code, summary, errors) = import(&app, &[&site("zola"), "--dry-run"]);
    assert_eq!(code, Some(0), "{summary}{errors}");
    let end = "4 to create or there, 1 refused, 0 failed, 2 left out\n";
    assert!(summary.ends_with(end), "{summary}");
    assert_eq!(app.list(0).await, Vec::<Value>::new());
    // Nobody has to be there.
    let nowhere = format!("http://127.0.0.1:{}", test_support::free_port());
    let path: PathBuf = app.dir.path().join("long.jsonl");
    fs::write(&path, json!({ "title": "T", "content": "x".repeat(11) }).to_string())
        .expect("written");
    let output = app
        .command(&["import", "--dry-run", "--url", &nowhere, &path.display().to_string()])
        .env("NEWSWIRE__ARTICLE__MAX_CONTENT_CHARS", "10")
        .output();
    let (code, summary, _) = parts(&output.expect("newswire runs"));
    assert_eq!(code, Some(0), "{summary}");
    assert!(summary.contains("content must be 1 to 10 characters long, not 11"), "{summary}");
}
