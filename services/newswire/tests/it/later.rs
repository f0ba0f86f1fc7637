//! Commands that are accepted now and executed later.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use test_support::{eventually, http_client};

use crate::{
    app::{App, Response, send},
    processes::Installation,
};

/// Sends requests of ann to an installation.
struct Ann {
    url: String,
    token: String,
}

impl Ann {
    fn of(all: &Installation) -> Self {
        Self { url: all.url(), token: all.token("ann") }
    }

    fn post(&self, key: &str, title: &str) -> RequestBuilder {
        let body = json!({ "title": title, "content": "C" });
        let request = http_client().post(format!("{}/api/articles", self.url)).json(&body);
        request.bearer_auth(&self.token).header("idempotency-key", key)
    }

    async fn get(&self, path: &str) -> Response {
        send(http_client().get(format!("{}{path}", self.url)).bearer_auth(&self.token)).await
    }

    /// The operation at `path` when it has an end.
    async fn end(&self, path: &str) -> Value {
        eventually("the operation to end", || async {
            let operation = self.get(path).await;
            assert_eq!(operation.status, 200, "{operation:?}");
            (operation.body["status"] != "pending").then_some(operation.body)
        })
        .await
    }
}

fn accepted(response: &Response) -> String {
    assert_eq!((response.status, &response.body["status"]), (202, &json!("pending")));
    assert_eq!(response.header("retry-after"), "1");
    response.header("location").to_owned()
}

#[tokio::test]
async fn a_command_survives_the_absence_of_its_service_and_crashes() {
    let mut all = Installation::start().await;
    let ann = Ann::of(&all);
    all.kill("article");
    let response = send(ann.post("one", "T").header("prefer", "respond-async")).await;
    assert_eq!(response.header("preference-applied"), "respond-async");
    let path = accepted(&response);
    // The same again is the same operation; the same key for something else is nobody's.
    let again = send(ann.post("one", "T").header("prefer", "respond-async")).await;
    assert_eq!(accepted(&again), path);
    let other = send(ann.post("one", "Other").header("prefer", "respond-async")).await;
    assert_eq!(other.status, 422);
    assert_eq!(ann.get(&path).await.body["status"], "pending");
    all.server.kill();
    all.server.restart();
    all.run("article");
    let done = eventually("the gateway to be back", || async {
        let operation = ann.get(&path).await;
        (operation.body["status"] == "done").then_some(operation.body)
    })
    .await;
    assert_eq!((&done["version"], &done["result"]["title"]), (&json!(1), &json!("T")));
    assert_eq!(done["command"], "article.create");
    // Sent again without patience it has the same outcome.
    let now = send(ann.post("one", "T")).await;
    assert_eq!((now.status, &now.body), (201, &done["result"]));
    assert_eq!(now.header("idempotency-replayed"), "true");
    let bob = http_client().get(format!("{}{path}", all.url())).bearer_auth(all.token("bob"));
    assert_eq!(send(bob).await.status, 404, "it is ann's");
    assert_eq!(send(http_client().get(format!("{}{path}", all.url()))).await.status, 401);
    assert_eq!(all.server.events().await, 1);
}

#[tokio::test]
async fn who_waits_gets_the_outcome_or_a_place_to_ask_for_it() {
    let mut all = Installation::start().await;
    let ann = Ann::of(&all);
    let patient = |key, title| ann.post(key, title).header("prefer", "wait=5");
    assert_eq!(send(patient("one", "T")).await.status, 201);
    let refused = send(patient("two", " ")).await;
    assert_eq!(refused.status, 400, "a refusal is an outcome");
    all.kill("article");
    let later = send(patient("three", "T3")).await;
    assert_eq!(later.header("preference-applied"), "wait=5");
    let path = accepted(&later);
    let refused = accepted(&send(patient("four", " ")).await);
    all.run("article");
    assert_eq!(ann.end(&path).await["status"], "done");
    let refused = ann.end(&refused).await;
    assert_eq!(refused["status"], "refused");
    assert_eq!(refused["problem"]["type"], "urn:newswire:problem:invalid-input");
    assert_eq!(refused["problem"]["errors"][0]["field"], "title");
}

#[tokio::test]
async fn commands_of_one_article_are_executed_in_the_order_in_which_they_were_accepted() {
    let app = App::start().await;
    let body = |title: &str| json!({ "title": title, "content": "C" });
    let created = send(app.request(Method::POST, "/api/articles").json(&body("0"))).await;
    let path = format!("/api/articles/{}", created.body["id"].as_str().expect("an id"));
    let mut last = String::new();
    for number in 1..=20 {
        let put = app.request(Method::PUT, &path).json(&body(&number.to_string()));
        last = accepted(&send(put.header("prefer", "respond-async")).await);
    }
    let operation = eventually("the last to be done", || async {
        let operation = send(app.request(Method::GET, &last)).await;
        (operation.body["status"] == "done").then_some(operation.body)
    })
    .await;
    assert_eq!((&operation["version"], &operation["result"]["title"]), (&json!(21), &json!("20")));
    let stale = app.request(Method::PUT, &path).json(&body("stale")).header("if-match", "\"1\"");
    let stale = accepted(&send(stale.header("prefer", "respond-async")).await);
    let operation = eventually("the stale one to end", || async {
        let operation = send(app.request(Method::GET, &stale)).await;
        (operation.body["status"] != "pending").then_some(operation.body)
    })
    .await;
    assert_eq!(
        (&operation["status"], &operation["problem"]["status"]),
        (&json!("refused"), &json!(412))
    );
    let unknown = "/api/operations/0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
    assert_eq!(send(app.request(Method::GET, unknown)).await.status, 404);
    assert_eq!(send(app.request(Method::GET, "/api/operations/x")).await.status, 400);
}
