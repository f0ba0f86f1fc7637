//! Comments, from the request to the mail, and what becomes of them when their article goes.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use test_support::{eventually, http_client};

use crate::{
    app::{App, Response, mails, send},
    processes::Installation,
    socket::Socket,
};

/// Somebody who comments.
struct Commenter<'a> {
    app: &'a App,
    token: String,
}

impl<'a> Commenter<'a> {
    fn new(app: &'a App, arguments: &[&str]) -> Self {
        Self { app, token: app.mint(arguments) }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.anonymous(method, path).bearer_auth(&self.token)
    }

    async fn say(&self, article: &str, text: &str) -> Response {
        let path = format!("{article}/comments");
        send(self.request(Method::POST, &path).json(&json!({ "text": text }))).await
    }
}

/// The path of a new article of ann.
async fn article(app: &App) -> String {
    let body = json!({"title": "T", "content": "C"});
    let created = send(app.request(Method::POST, "/api/articles").json(&body)).await;
    assert_eq!(created.status, 201, "{created:?}");
    created.header("location").to_owned()
}

async fn read(app: &App, path: &str, position: &str) -> Response {
    let request = app.anonymous(Method::GET, path);
    send(if position.is_empty() { request } else { request.header("newswire-position", position) })
        .await
}

#[tokio::test]
async fn comments_are_said_read_and_taken_back() {
    walk(App::start().await).await;
}

#[tokio::test]
async fn comments_are_said_read_and_taken_back_on_postgres() {
    walk(App::start_on_postgres().await).await;
}

async fn walk(app: App) {
    let bob = Commenter::new(&app, &["--user", "bob"]);
    let article = article(&app).await;
    let id = article.rsplit('/').next().expect("an id").to_owned();
    let mut socket = Socket::connect(&app).await;
    socket.subscribe(&json!([format!("comments:{id}")]), None).await;

    let said = bob.say(&article, "Yes\n🦀").await;
    assert_eq!((said.status, said.header("etag")), (201, "\"1\""), "{said:?}");
    let number = said.body["number"].as_u64().expect("a number");
    assert_eq!(said.header("newswire-position"), number.to_string());
    let path = format!("{article}/comments/{number}");
    assert_eq!(said.header("location"), path);
    let frame = socket.next_event().await.expect("an event");
    assert_eq!(
        (&frame["type"], &frame["data"]["text"]),
        (&json!("comment.added"), &json!("Yes\n🦀"))
    );

    let position = said.header("newswire-position");
    let one = read(&app, &path, position).await;
    assert_eq!((one.status, &one.body, one.header("etag")), (200, &said.body, "\"1\""));
    let not_modified = app.anonymous(Method::GET, &path).header("if-none-match", "\"1\"");
    assert_eq!(send(not_modified).await.status, 304);
    repeats(&app, &bob, &article).await;
    let mine = Commenter::new(&app, &["--user", "ann"]).say(&article, "Thanks").await;
    pages(&app, &article, &[number, mine.body["number"].as_u64().expect("a number")]).await;
    let second = send(app.request(Method::DELETE, &path)).await;
    assert_eq!(second.body["type"], "urn:newswire:problem:not-the-author", "ann is not bob");
    take_back(&app, &bob, &path).await;
    refusals(&app, &bob, &article).await;
    // Ann is told of the article and of what bob said, and not of her own comment.
    let tells_of_bob = |mail: &String| mail.contains("bob commented on your article: T");
    eventually("the mails", || async { (app.mails().len() == 3).then_some(()) }).await;
    let count = app.mails().iter().filter(|mail| tells_of_bob(mail)).count();
    assert_eq!(count, 2, "what was said twice under one key is told of once");
    gone(&app, &bob, &article).await;
}

/// The same key again is the same comment.
async fn repeats(app: &App, bob: &Commenter<'_>, article: &str) {
    let path = format!("{article}/comments");
    let ask = || {
        let request = bob.request(Method::POST, &path).header("idempotency-key", "k");
        send(request.json(&json!({"text": "once"})))
    };
    let (first, again) = (ask().await, ask().await);
    assert_eq!((first.status, again.status, &first.body), (201, 201, &again.body));
    assert_eq!(again.header("idempotency-replayed"), "true");
    // Out of the way of the rest.
    let path = first.header("location").to_owned();
    let deleted = bob.request(Method::DELETE, &path).header("if-match", "\"1\"");
    let deleted = send(deleted).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(read(app, &path, deleted.header("newswire-position")).await.status, 410);
}

async fn pages(app: &App, article: &str, numbers: &[u64]) {
    let (last, mut cursor, mut seen) = (numbers[numbers.len() - 1], String::new(), Vec::new());
    loop {
        let path = format!("{article}/comments?limit=1{cursor}");
        let page = read(app, &path, &last.to_string()).await;
        assert_eq!(page.status, 200, "{page:?}");
        seen.extend(page.body["items"].as_array().expect("items").iter().cloned());
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let seen: Vec<_> = seen.iter().filter_map(|comment| comment["number"].as_u64()).collect();
    assert_eq!(seen, numbers, "oldest first, without what was taken back");
}

async fn take_back(app: &App, bob: &Commenter<'_>, path: &str) {
    let stale = bob.request(Method::DELETE, path).header("if-match", "\"7\"");
    assert_eq!(send(stale).await.status, 412);
    let deleted = send(bob.request(Method::DELETE, path)).await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
    let position = deleted.header("newswire-position").to_owned();
    assert_eq!(read(app, path, &position).await.status, 410);
    let again = send(bob.request(Method::DELETE, path)).await;
    assert_eq!(again.body["type"], "urn:newswire:problem:comment-deleted");
    let history = format!("{path}/history");
    assert_eq!(read(app, &history, "").await.status, 410, "for nobody it is past");
    let history = send(bob.request(Method::GET, &history)).await;
    let types: Vec<_> = history.body["items"].as_array().expect("items").iter().collect();
    assert_eq!(
        (&types[0]["type"], &types[1]["type"]),
        (&json!("comment.added"), &json!("comment.deleted"))
    );
}

async fn refusals(app: &App, bob: &Commenter<'_>, article: &str) {
    for text in ["", " ", &"x".repeat(5001)] {
        let refused = bob.say(article, text).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (400, &json!("text")));
    }
    let comments = format!("{article}/comments");
    let other = bob.request(Method::POST, &comments).json(&json!({"txt": "x"}));
    assert_eq!(send(other).await.body["errors"][0]["field"], "txt");
    let anonymous = app.anonymous(Method::POST, &comments).json(&json!({"text": "x"}));
    assert_eq!(send(anonymous).await.status, 401);
    let nowhere = "/api/articles/00000000-0000-5000-8000-000000000000";
    assert_eq!(bob.say(nowhere, "x").await.status, 404);
    assert_eq!(read(app, &format!("{nowhere}/comments"), "").await.status, 404);
    for (number, status) in [("999999", 404), ("x", 400)] {
        let path = format!("{comments}/{number}");
        assert_eq!(read(app, &path, "").await.status, status);
        assert_eq!(send(bob.request(Method::DELETE, &path)).await.status, status, "{number}");
    }
}

/// With the article its comments go.
async fn gone(app: &App, bob: &Commenter<'_>, article: &str) {
    let said = bob.say(article, "soon gone").await;
    let deleted = send(app.request(Method::DELETE, article)).await;
    let position = deleted.header("newswire-position").to_owned();
    let refused = bob.say(article, "too late").await;
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (410, &json!("urn:newswire:problem:article-deleted"))
    );
    assert_eq!(read(app, &format!("{article}/comments"), &position).await.status, 410);
    let history = format!("{}/history", said.header("location"));
    eventually("the comment to be deleted", || async {
        let history = send(bob.request(Method::GET, &history)).await;
        let last = history.body["items"].as_array()?.last()?.clone();
        (last["type"] == "comment.deleted" && last["user_id"] == "system.comment").then_some(())
    })
    .await;
}

/// Sends until it is answered for good.
async fn insist(request: impl Fn() -> RequestBuilder) -> Value {
    eventually("an answer for good", || async {
        let answer = request().send().await.ok()?;
        let is_final = answer.status().as_u16() < 500;
        let body = answer.json().await.unwrap_or(Value::Null);
        is_final.then_some(body)
    })
    .await
}

const ARTICLES: usize = 6;
const COMMENTS: usize = 8;

/// Ann, who writes, and bob, who comments, at a gateway that may be away.
#[derive(Clone)]
struct People {
    url: String,
    ann: String,
    bob: String,
}

impl People {
    async fn write(&self, number: usize) -> String {
        let created = insist(|| {
            let request = http_client().post(format!("{}/api/articles", self.url));
            let request = request.bearer_auth(&self.ann);
            let request = request.header("idempotency-key", format!("article {number}"));
            request.json(&json!({"title": "T", "content": "C"}))
        });
        created.await["id"].as_str().expect("an id").to_owned()
    }

    async fn say(self, article: String, number: usize) -> Value {
        insist(|| {
            let url = format!("{}/api/articles/{article}/comments", self.url);
            let request = http_client().post(url).bearer_auth(&self.bob);
            let request = request.header("idempotency-key", format!("{article} {number}"));
            request.json(&json!({"text": "x"}))
        })
        .await
    }

    async fn delete(self, article: String) -> Value {
        let url = format!("{}/api/articles/{article}", self.url);
        insist(|| http_client().delete(&url).bearer_auth(&self.ann)).await
    }
}

/// Articles with comments are deleted, and commented on meanwhile, while everything is killed.
#[tokio::test]
async fn no_comment_outlives_its_article_whatever_is_killed() {
    let mut all = Installation::start().await;
    let people = People { url: all.url(), ann: all.token("ann"), bob: all.token("bob") };
    let mut articles = Vec::new();
    for number in 0..ARTICLES {
        let article = people.write(number).await;
        for number in 0..COMMENTS {
            people.clone().say(article.clone(), number).await;
        }
        articles.push(article);
    }
    let say = |article: &String, number| tokio::spawn(people.clone().say(article.clone(), number));
    let late =
        articles.iter().flat_map(|article| (0..COMMENTS).map(move |number| (article, number)));
    let late: Vec<_> = late.map(|(article, number)| say(article, COMMENTS + number)).collect();
    for (article, victim) in
        articles.iter().zip(["comment", "article", "nats", "comment", "", "projection"])
    {
        let deleted = tokio::spawn(people.clone().delete(article.clone()));
        match victim {
            "" => {}
            "nats" => {
                all.server.kill();
                all.server.restart();
            }
            service => {
                all.kill(service);
                all.run(service);
            }
        }
        deleted.await.expect("no panic");
    }
    for said in late {
        said.await.expect("no panic");
    }
    all.ready().await;
    judge(&all).await;
}

async fn judge(all: &Installation) {
    let said = eventually("every comment to be deleted once", || async {
        let events = all.server.subjects("events.comment.*").await;
        let are_gone = events.values().all(|count| *count == 2);
        (are_gone && events.len() >= ARTICLES * COMMENTS).then_some(events.len())
    })
    .await;
    // Somebody is told of both events of an article, and of one of a comment.
    let wanted = 2 * ARTICLES + said;
    eventually("the mails", || async { (mails(all.dir.path()).len() >= wanted).then_some(()) })
        .await;
    assert_eq!(mails(all.dir.path()).len(), wanted, "each once");
    assert_eq!(all.server.messages_in("DEAD_LETTERS").await, 0);
}
