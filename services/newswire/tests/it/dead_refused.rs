//! Requests about dead letters that are refused, and change nothing.

use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use test_support::http_client;

use crate::{
    app::{Response, send},
    dead_over_http::{Operator, PATH, article_id},
    processes::Installation,
};

#[tokio::test]
async fn only_operators_may_and_a_wrong_choice_is_named_and_changes_nothing() {
    let all = Installation::start().await;
    all.server.store("dead.nobody.events.article.x", &[], "\u{1}").await;
    let ops = Operator::new(&all);
    strangers_are_refused(&all).await;
    wrong_choices_are_named(&ops).await;
    what_is_no_object_is_refused(&ops).await;
    assert_eq!(all.server.messages_in("DEAD_LETTERS").await, 1);
    // Of a consumer that does not run, and no event at all: shown, told, and dropped all the same.
    let order = json!({ "all": true });
    let tried = ops.post("/redrive", order.clone()).await;
    assert_eq!(tried.body["failing"][0]["reason"], "nobody is not running", "{tried:?}");
    let whole = ops.get("/1").await;
    assert_eq!((&whole.body["aggregate_id"], &whole.body["body"]), (&Value::Null, &json!("\u{1}")));
    assert_eq!(ops.post("/drop", order).await.body["dropped"], json!(1));
}

async fn strangers_are_refused(all: &Installation) {
    let order = json!({ "all": true });
    let editor = all.mint(&["--user", "eve", "--role", "editor"]);
    for (method, rest) in [
        (Method::GET, ""),
        (Method::GET, "/1"),
        (Method::DELETE, "/1"),
        (Method::POST, "/redrive"),
        (Method::POST, "/drop"),
    ] {
        let url = format!("{}{PATH}{rest}", all.url());
        let request = || http_client().request(method.clone(), &url).json(&order);
        let nobody = send(request()).await;
        assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, "Bearer"), "{rest}");
        let stranger = send(request().bearer_auth(&editor)).await;
        let forbidden = json!("urn:newswire:problem:forbidden");
        assert_eq!((stranger.status, &stranger.body["type"]), (403, &forbidden), "{rest}");
    }
}

async fn wrong_choices_are_named(ops: &Operator<'_>) {
    let named = |response: &Response| {
        let field = response.body["errors"][0]["field"].as_str().unwrap_or_default();
        (response.status, field.to_owned())
    };
    for (rest, field) in [
        ("?consumer=*", "consumer"),
        ("?consumer=a.b", "consumer"),
        ("?consumer=", "consumer"),
        ("?aggregate=x", "aggregate"),
        ("?reason=", "reason"),
        ("?after=yesterday", "after"),
        ("?before=2026-13-01T00:00:00Z", "before"),
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?cursor=x", "cursor"),
        ("/x", "number"),
        ("/18446744073709551616", "number"),
    ] {
        assert_eq!(named(&ops.get(rest).await), (400, field.to_owned()), "{rest}");
    }
    for (body, field) in [
        (json!({}), "all"),
        (json!({ "all": false, "dry_run": true }), "all"),
        (json!({ "all": "yes" }), "all"),
        (json!({ "consumer": ">" }), "consumer"),
        (json!({ "consumer": 1 }), "consumer"),
        (json!({ "aggregate": "x", "all": true }), "aggregate"),
        (json!({ "reason": "" }), "reason"),
        (json!({ "after": "now" }), "after"),
        (json!({ "before": "" }), "before"),
        (json!({ "all": true, "cursor": -1 }), "cursor"),
        (json!({ "all": true, "agregate": article_id() }), "agregate"),
    ] {
        for rest in ["/redrive", "/drop"] {
            let refused = ops.post(rest, body.clone()).await;
            assert_eq!(named(&refused), (400, field.to_owned()), "{rest} {body}: {refused:?}");
        }
    }
}

async fn what_is_no_object_is_refused(ops: &Operator<'_>) {
    let no_object = "a JSON object was expected";
    for (body, detail) in [
        // The members of an order to do it to all, without their names.
        ("[null,null,null,null,null,true,false,null]", no_object),
        ("[]", no_object),
        ("\"all\"", no_object),
        ("true", no_object),
        ("null", no_object),
        ("", no_object),
        ("{\"all\":true}{}", "the text goes on after the object"),
    ] {
        for rest in ["/redrive", "/drop"] {
            let request = ops.request(Method::POST, rest).header(CONTENT_TYPE, "application/json");
            let refused = send(request.body(body)).await;
            let detail = format!("the body is not the JSON that was expected: {detail}");
            let expected = (400, json!("urn:newswire:problem:malformed-request"), json!(detail));
            let told =
                (refused.status, refused.body["type"].clone(), refused.body["detail"].clone());
            assert_eq!(told, expected, "{rest} {body}");
        }
    }
    for rest in ["/redrive", "/drop"] {
        let request = ops.request(Method::POST, rest).header(CONTENT_TYPE, "application/json");
        let twice = send(request.body("{\"all\":true,\"all\":true}")).await;
        let errors = json!([{ "field": "all", "detail": "is there twice at line 1 column 18" }]);
        assert_eq!((twice.status, &twice.body["errors"]), (400, &errors), "{rest}");
    }
}
