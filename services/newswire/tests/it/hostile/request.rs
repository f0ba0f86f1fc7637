//! One hostile request after the other.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom as _};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::text;
use crate::app::App;

/// An article that is not there: a valid change of it is refused too.
const NOWHERE: &str = "/api/articles/0190b3a0-6b2a-7c3e-9d57-2a1f0c6b7e42";
/// The fields of an article.
const FIELDS: [&str; 4] = ["title", "content", "slug", "tags"];

/// A request, and what is wrong with it.
pub struct Hostile {
    pub what: &'static str,
    pub request: RequestBuilder,
}

type Kind = fn(&App, &[String], &mut StdRng) -> Hostile;

/// Tokens made of a good one, none of which is good.
pub fn forged(good: &str) -> impl Iterator<Item = String> {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let parts: Vec<&str> = good.split('.').collect();
    let (head, claims, signature) = (parts[0], parts[1], parts[2]);
    let bytes = URL_SAFE_NO_PAD.decode(claims).expect("base64");
    let mut other: Value = serde_json::from_slice(&bytes).expect("claims");
    other["sub"] = json!("eve");
    other["roles"] = json!(["editor"]);
    let other = encode(&other);
    let none =
        ["none", "None", "NONE", "nOnE"].map(|alg| encode(&json!({ "alg": alg, "typ": "JWT" })));
    let confused = encode(&json!({ "alg": "RS256", "typ": "JWT" }));
    let own_key = encode(
        &json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": "AA" }, "kid": "../../dev/null" }),
    );
    let mut all: Vec<String> = none
        .iter()
        .flat_map(|none| [format!("{none}.{claims}."), format!("{none}.{other}.{signature}")])
        .collect();
    all.extend([
        format!("{head}.{other}.{signature}"),
        format!("{head}.{claims}."),
        format!("{head}.{claims}"),
        format!("{confused}.{claims}.{signature}"),
        format!("{own_key}.{claims}.{signature}"),
        format!("{head}.{claims}.{}", URL_SAFE_NO_PAD.encode([0; 32])),
        "..".to_owned(),
        "a.b.c".to_owned(),
        "x".repeat(5000),
    ]);
    all.into_iter()
}

/// The next hostile request.
pub fn hostile(app: &App, tokens: &[String], random: &mut StdRng) -> Hostile {
    let kinds: [Kind; 8] = [
        truncated,
        nested,
        wrong_type,
        not_json,
        wrong_media_type,
        bad_token,
        bad_header,
        bad_address,
    ];
    kinds.choose(random).expect("there are some")(app, tokens, random)
}

/// A write, with a body of JSON.
fn write(
    app: &App,
    what: &'static str,
    body: impl Into<reqwest::Body>,
    random: &mut StdRng,
) -> Hostile {
    let request = if random.random_bool(0.5) {
        app.request(Method::POST, "/api/articles")
    } else {
        app.request(Method::PUT, NOWHERE)
    };
    Hostile { what, request: request.header("content-type", "application/json").body(body) }
}

fn naughty(random: &mut StdRng) -> String {
    text::naughty().choose(random).expect("there are some").clone()
}

fn truncated(app: &App, _: &[String], random: &mut StdRng) -> Hostile {
    let mut body = json!({ "title": naughty(random), "content": naughty(random) }).to_string();
    let mut end = random.random_range(0..body.len());
    while !body.is_char_boundary(end) {
        end -= 1;
    }
    body.truncate(end);
    write(app, "truncated", body, random)
}

fn nested(app: &App, _: &[String], random: &mut StdRng) -> Hostile {
    let depth = random.random_range(130..100_000);
    let (open, close) = *[("[", "]"), ("{\"title\":", "}")].choose(random).expect("two");
    let depth = depth / open.len();
    let closed = if random.random_bool(0.5) { close.repeat(depth) } else { String::new() };
    let deep = format!("{}1{closed}", open.repeat(depth));
    let field = *FIELDS.choose(random).expect("four");
    let body = format!("{{\"title\":\"T\",\"content\":\"C\",\"x\":1,\"{field}\":{deep}}}");
    write(app, "deeply nested", body, random)
}

fn wrong_type(app: &App, _: &[String], random: &mut StdRng) -> Hostile {
    let mut body = json!({ "title": "T", "content": "C" });
    let field = *FIELDS.choose(random).expect("four");
    let many: Vec<String> = (0..11).map(|number| format!("t{number}")).collect();
    let values = [
        json!(1),
        json!(-1.5e300),
        json!(u64::MAX),
        json!(true),
        json!({}),
        json!({ "$ne": null }),
        json!([[]]),
        json!([null]),
        json!(["a", 1]),
        json!(["\u{0}"]),
        json!(many),
        if field == "tags" { json!("a") } else { json!(["a"]) },
        if field == "tags" { json!([""]) } else { json!("\0") },
        if field == "tags" { json!(["x".repeat(41)]) } else { json!("x".repeat(10_001)) },
    ];
    body[field] = values.choose(random).expect("some").clone();
    write(app, "a wrong type or value", body.to_string(), random)
}

fn not_json(app: &App, _: &[String], random: &mut StdRng) -> Hostile {
    let bodies: [&[u8]; 17] = [
        b"",
        b"null",
        b"[]",
        b"0",
        b"{\"title\":\"\\ud800\",\"content\":\"C\"}",
        b"{\"title\":\"\\udc00\\ud800\",\"content\":\"C\"}",
        b"{\"title\":\"\\u12\",\"content\":\"C\"}",
        b"{\"title\":\"T\",\"content\":\"\\x\"}",
        b"{\"title\":\"T\",\"content\":\"\xff\xfe\"}",
        b"{\"title\":\"T\",\"content\":\"\xed\xa0\x80\"}",
        b"\xef\xbb\xbf{\"title\":\"T\",\"content\":\"C\"}",
        b"{\"title\":\"T\",\"content\":\"C\"}{}",
        b"{\"title\":\"T\",\"title\":\"U\",\"content\":\"C\"}",
        b"{\"title\":\"a\nb\",\"content\":\"C\"}",
        b"{\"title\":1e99999,\"content\":\"C\"}",
        b"{'title':'T','content':'C'}",
        b"title=T&content=C",
    ];
    let mut body = bodies.choose(random).expect("some").to_vec();
    if random.random_bool(0.3) {
        body = (0..random.random_range(1..300)).map(|_| random.random()).collect();
    }
    write(app, "not the JSON that is wanted", body, random)
}

fn wrong_media_type(app: &App, _: &[String], random: &mut StdRng) -> Hostile {
    let types = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/xml",
        "json",
        ";",
        "application/json2; charset=utf-8",
    ];
    let request = app.request(Method::POST, "/api/articles");
    let body = json!({ "title": "T", "content": "C" }).to_string();
    let media_type = *types.choose(random).expect("some");
    let request = request.header("content-type", media_type).body(body);
    Hostile { what: "a wrong content type", request }
}

fn bad_token(app: &App, tokens: &[String], random: &mut StdRng) -> Hostile {
    let body = json!({ "title": "T", "content": "C" });
    let request = app.anonymous(Method::POST, "/api/articles").json(&body);
    let request = match random.random_range(0..5) {
        0 => request,
        1 => request.header("authorization", "Basic YW5uOmFubg=="),
        2 => request.header("authorization", "Bearer"),
        _ => request.bearer_auth(tokens.choose(random).expect("some")),
    };
    Hostile { what: "a bad token", request }
}

fn bad_header(app: &App, _: &[String], random: &mut StdRng) -> Hostile {
    let headers = [
        ("idempotency-key", "x".repeat(256)),
        ("idempotency-key", "\"\"".to_owned()),
        ("if-match", "1".to_owned()),
        ("if-match", "\"x\"".to_owned()),
        ("if-match", "\"99999999999999999999999\"".to_owned()),
        ("if-match", "W/\"1\"".to_owned()),
        ("content-encoding", "gzip".to_owned()),
    ];
    let (name, value) = headers.choose(random).expect("some");
    let body = if *name == "content-encoding" {
        json!([])
    } else {
        json!({ "title": "T", "content": "C" })
    };
    let request = app.request(Method::PUT, NOWHERE).header(*name, value).json(&body);
    Hostile { what: "a bad header", request }
}

fn bad_address(app: &App, _: &[String], random: &mut StdRng) -> Hostile {
    let text = naughty(random);
    let encoded =
        text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02X}"));
    let body = json!({ "title": "T", "content": "C" });
    let method =
        [Method::PATCH, Method::PUT, Method::DELETE].choose(random).expect("three").clone();
    let request = match random.random_range(0..6) {
        0 => app.request(method, &format!("/api/articles/{encoded}x")).json(&body),
        1 => app.request(Method::GET, &format!("/api/articles?limit={encoded}x")),
        2 => app.request(Method::GET, &format!("/api/articles?cursor={encoded}x")),
        3 => app.request(Method::GET, &format!("/api/operations/{encoded}x")),
        4 => app.request(Method::GET, &format!("/api/{encoded}x")),
        _ => app.request(method, "/api/articles?limit=-1").json(&body),
    };
    Hostile { what: "a bad address", request }
}
