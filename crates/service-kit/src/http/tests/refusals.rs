//! What is no request, or none that is taken: each gets a problem.

use metrics_exporter_prometheus::PrometheusBuilder;

use super::*;

/// The status and the problem's code of a raw response that is one, with all that every response has.
#[track_caller]
fn problem(response: &str) -> (u16, String) {
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    for field in [
        "content-type: application/problem+json",
        "x-correlation-id: ",
        "traceparent: ",
        "x-content-type-options: nosniff",
        "date: ",
    ] {
        assert!(head.contains(field), "no {field}: {response}");
    }
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["status"], status, "{response}");
    let code = body["type"].as_str().and_then(|code| code.strip_prefix("urn:newswire:problem:"));
    (status, code.expect("a code").to_owned())
}

#[tokio::test]
async fn what_the_parser_refuses_is_a_problem() {
    let site = site(routes()).await;
    let (long, longer) = ("x".repeat(70_000), "x".repeat(200_000));
    for (request, status, code) in [
        (format!("GET /{longer} HTTP/1.1\r\nHost: a\r\n\r\n"), 414, "uri-too-long"),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414, "uri-too-long"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {longer}\r\n\r\n"), 431, "headers-too-large"),
        ("GET / HTTP/1.1\r\nHost: a\r\nno header\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("GET / FOO/1.2\r\nHost: a\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("\u{1}\u{2}\u{3}\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n".to_owned(), 505, "http-version-not-supported"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505, "http-version-not-supported"),
        ("GET / HTTP/1.1\r\nHost: a\r\nX-Half: ".to_owned(), 408, "request-timeout"),
        (
            "GET /context HTTP/1.1\r\nHost: user@a\r\nConnection: close\r\n\r\n".to_owned(),
            400,
            "malformed-request",
        ),
        (
            "GET http://u@a/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
            400,
            "malformed-request",
        ),
    ] {
        let response = site.raw(&request).await;
        assert_eq!(problem(&response), (status, code.to_owned()), "{request:.60}");
    }
}

#[tokio::test]
async fn many_headers_are_too_many() {
    let site = site(routes()).await;
    let headers = "X: y\r\n".repeat(200);
    let response = site.raw(&format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")).await;
    assert_eq!(problem(&response), (431, "headers-too-large".to_owned()));
}

#[tokio::test]
async fn a_refusal_has_the_correlation_id_of_its_client() {
    let site = site(routes()).await;
    let request = "GET / HTTP/1.2\r\nHost: a\r\nX-Correlation-Id: mine\r\n\r\n";
    let response = site.raw(request).await;
    assert!(response.contains("x-correlation-id: mine\r\n"), "{response}");
}

#[tokio::test]
async fn nonsense_behind_a_request_leaves_its_answer_alone() {
    let site = site(routes()).await;
    let response = site.raw("GET /context HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    let (_, refusal) = response[1..].split_once("HTTP/1.1 ").expect("two answers");
    assert_eq!(problem(&format!("HTTP/1.1 {refusal}")).0, 400);
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let site = site(routes()).await;
    assert_eq!(site.raw("").await, "");
}

#[tokio::test]
async fn labels_of_metrics_are_none_that_a_client_has_made_up() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // This runtime has one thread, so whatever is measured here is measured there.
    let _measuring = metrics::set_default_local_recorder(&recorder);
    crate::telemetry::describe("test");
    let site = site(routes()).await;
    for number in 0..20 {
        for path in ["/context".to_owned(), format!("/made/up/{number}"), "*".to_owned()] {
            let request = format!(
                "MADE{number} {path} HTTP/1.1\r\nHost: a{number}\r\nConnection: close\r\n\r\n"
            );
            site.raw(&request).await;
        }
        site.raw(&format!("MADE{number} / HTTP/1.{number}\r\n\r\n")).await;
    }
    let text = handle.render();
    let series: Vec<_> =
        text.lines().filter(|line| line.starts_with("http_requests_total{")).collect();
    assert!((2..12).contains(&series.len()), "{text}");
    assert!(!text.contains("MADE") && !text.contains("made"), "{text}");
    assert!(text.contains("path=\"/context\",method=\"other\",status=\"405\""), "{text}");
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().expect("a name");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no HELP");
    }
}
