//! The read model as an administrator and a reader see it: counts over REST, generations on the command line.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{App, Response, send};

async fn get(app: &App, path: &str, position: &str) -> Response {
    send(app.anonymous(Method::GET, path).header("newswire-position", position)).await
}

async fn create(app: &App, title: &str) -> Response {
    let body = json!({ "title": title, "content": "C" });
    let created = send(app.request(Method::POST, "/api/articles").json(&body)).await;
    assert_eq!(created.status, 201, "{created:?}");
    created
}

#[tokio::test]
async fn authors_and_days_are_counted() {
    let app = App::start().await;
    create(&app, "stays").await;
    let gone = create(&app, "goes").await;
    let path = format!("/api/articles/{}", gone.body["id"].as_str().expect("an id"));
    let deleted = send(app.request(Method::DELETE, &path)).await;
    let position = deleted.header("newswire-position").to_owned();

    let ann = get(&app, "/api/authors/ann", &position).await;
    assert_eq!(ann.status, 200, "{ann:?}");
    assert_eq!((&ann.body["articles"], &ann.body["created"]), (&json!(1), &json!(2)));
    assert_eq!(ann.header("newswire-position"), position);
    assert_eq!(get(&app, "/api/authors/nobody", "0").await.status, 404);
    let wrong = get(&app, "/api/authors/a%20b", "0").await;
    assert_eq!((wrong.status, &wrong.body["errors"][0]["field"]), (400, &json!("id")));

    let page = get(&app, "/api/authors?limit=1", &position).await;
    assert_eq!((&page.body["items"][0], &page.body["next"]), (&ann.body, &Value::Null));
    for (field, query) in [("limit", "limit=0"), ("limit", "limit=x"), ("cursor", "cursor=!")] {
        let refused = get(&app, &format!("/api/authors?{query}"), "0").await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (400, &json!(field)));
    }

    let activity = get(&app, "/api/activity", &position).await;
    let days = activity.body["items"].as_array().expect("days");
    let sum = |what: &str| days.iter().filter_map(|day| day[what].as_u64()).sum::<u64>();
    assert_eq!((sum("created"), sum("updated"), sum("deleted")), (2, 0, 1), "{days:?}");
    for (field, query) in [("from", "from=yesterday"), ("to", "to=2026-13-01")] {
        let refused = get(&app, &format!("/api/activity?{query}"), "0").await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (400, &json!(field)));
    }
}

/// `newswire projection …`: whether it succeeded, and what it said.
fn projection(app: &App, arguments: &[&str]) -> (bool, String) {
    let output = app.command(&["projection"]).args(arguments).output().expect("newswire runs");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    (output.status.success(), text)
}

async fn a_rebuild_on_the_command_line(app: App) {
    let first = create(&app, "first").await;
    let (succeeded, said) = projection(&app, &["status"]);
    assert!(succeeded && said.contains("articles: version") && said.contains("live"), "{said}");
    let (succeeded, said) = projection(&app, &["rebuild", "stars"]);
    assert!(!succeeded && said.contains("there is no projection stars"), "{said}");
    let (succeeded, said) = projection(&app, &["rollback"]);
    assert!(!succeeded && said.contains("no previous generation"), "{said}");

    let (succeeded, said) = projection(&app, &["rebuild", "articles", "--verify"]);
    assert!(succeeded && said.contains("   2  live"), "{said}");
    let (succeeded, said) = projection(&app, &["rebuild", "articles", "--hold"]);
    assert!(succeeded && said.contains("   3  held"), "{said}");
    let second = create(&app, "second").await;
    let listed = app.list(second.header("newswire-position").parse().expect("a number")).await;
    assert_eq!(listed.len(), 2);
    let (succeeded, said) = projection(&app, &["promote"]);
    assert!(succeeded && said.contains("   3  live"), "{said}");
    let (succeeded, said) = projection(&app, &["rollback"]);
    assert!(succeeded && said.contains("   2  live"), "{said}");
    let (succeeded, said) = projection(&app, &["rebuild", "articles", "--hold", "--detach"]);
    assert!(succeeded, "{said}");
    let (succeeded, said) = projection(&app, &["cancel"]);
    assert!(succeeded && said.contains("cancelled"), "{said}");
    let path = format!("/api/articles/{}", first.body["id"].as_str().expect("an id"));
    assert_eq!(get(&app, &path, second.header("newswire-position")).await.body, first.body);
}

#[tokio::test]
async fn a_rebuild_on_the_command_line_on_sqlite() {
    a_rebuild_on_the_command_line(App::start().await).await;
}

#[tokio::test]
async fn a_rebuild_on_the_command_line_on_postgres() {
    a_rebuild_on_the_command_line(App::start_on_postgres().await).await;
}
