//! Posts one article, again and again until there is an outcome.

use std::time::Duration;

use anyhow::{Context as _, bail};
use eventsourcing::Fingerprint;
use messaging::consumer::Backoff;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::source::Draft;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often an article is tried: with the growing pauses, for about two minutes.
const MAX_ATTEMPTS: u32 = 20;
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), max: Duration::from_secs(10) };

/// What became of an article.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    Created,
    AlreadyThere,
    /// It breaks a rule; says which.
    Refused(String),
    /// It could not be settled; says why. Importing again settles it.
    Failed(String),
}

/// Posts articles as one user.
#[derive(Debug, Clone)]
pub(crate) struct Poster {
    client: Client,
    url: String,
    token: String,
}

enum Attempt {
    Outcome(Posted),
    Again(String),
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    detail: String,
    #[serde(default)]
    errors: Vec<Flaw>,
}

#[derive(Deserialize)]
struct Flaw {
    field: String,
    detail: String,
}

impl Poster {
    /// Posts to the gateway at `url`.
    pub(crate) fn new(url: &str, token: String) -> anyhow::Result<Self> {
        // Whichever is installed already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client =
            Client::builder().timeout(TIMEOUT).build().context("making a client failed")?;
        Ok(Self { client, url: format!("{}/api/articles", url.trim_end_matches('/')), token })
    }

    /// Whether the gateway takes the token: asked once, instead of hearing no for every article.
    pub(crate) async fn check(&self) -> anyhow::Result<()> {
        let request = self.client.get(format!("{}?limit=1", self.url)).bearer_auth(&self.token);
        let response = request
            .send()
            .await
            .with_context(|| format!("no answer from {}: is Newswire running there?", self.url))?;
        match response.status() {
            StatusCode::UNAUTHORIZED => bail!("{} does not take the token", self.url),
            // It is there and may be starting: each article is tried again.
            StatusCode::SERVICE_UNAVAILABLE => Ok(()),
            status if status.is_success() => Ok(()),
            status => bail!("{} answers {status}: is that Newswire?", self.url),
        }
    }

    /// Posts `draft` until there is an outcome.
    pub(crate) async fn post(&self, draft: &Draft) -> Posted {
        let mut last = String::new();
        for attempt in 1..=MAX_ATTEMPTS {
            match self.attempt(draft).await {
                Attempt::Outcome(outcome) => return outcome,
                Attempt::Again(reason) => last = reason,
            }
            tokio::time::sleep(BACKOFF.pause(attempt)).await;
        }
        Posted::Failed(last)
    }

    async fn attempt(&self, draft: &Draft) -> Attempt {
        let body = json!({ "title": draft.title, "content": draft.content });
        let sent = self
            .client
            .post(&self.url)
            .bearer_auth(&self.token)
            // The article itself is the key: the same one again is the same command again.
            .header("Idempotency-Key", key(draft))
            .json(&body)
            .send()
            .await;
        match sent {
            Ok(response) => outcome(response).await,
            Err(error) => Attempt::Again(format!("{:#}", anyhow::Error::from(error))),
        }
    }
}

fn key(draft: &Draft) -> String {
    let text = format!("{}\0{}", draft.title, draft.content);
    format!("import-{}", Fingerprint::of("newswire import", text.as_bytes()))
}

async fn outcome(response: Response) -> Attempt {
    let status = response.status();
    if status.is_success() {
        let repeated = response.headers().contains_key("idempotency-replayed");
        return Attempt::Outcome(if repeated { Posted::AlreadyThere } else { Posted::Created });
    }
    let is_worth_trying_again = response.headers().contains_key("retry-after");
    let problem: Option<Problem> = response.json().await.ok();
    let reason = problem.map_or_else(|| status.to_string(), |problem| problem.text());
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Attempt::Again(reason),
        // An earlier attempt of ours is still being worked on.
        StatusCode::CONFLICT if is_worth_trying_again => Attempt::Again(reason),
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Attempt::Outcome(Posted::Refused(reason)),
        // Not about the article: the token has ended, or the address is another one's.
        _ if status.is_client_error() => Attempt::Outcome(Posted::Failed(reason)),
        _ => Attempt::Again(format!("{}: {reason}", status.as_u16())),
    }
}

impl Problem {
    fn text(&self) -> String {
        if self.errors.is_empty() {
            return self.detail.clone();
        }
        let flaws: Vec<_> =
            self.errors.iter().map(|flaw| format!("{} {}", flaw.field, flaw.detail)).collect();
        flaws.join("; ")
    }
}
