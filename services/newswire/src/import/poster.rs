//! Posts one article, again and again until there is an outcome.

use std::time::Duration;

use anyhow::{Context as _, bail};
use eventsourcing::Fingerprint;
use messaging::consumer::Backoff;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    draft::Draft,
    outcome::{Outcome, Reason},
};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often an article is tried: with the growing pauses, for about two minutes.
const MAX_ATTEMPTS: u32 = 20;
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(200), max: Duration::from_secs(10) };

/// Posts articles as one user.
#[derive(Debug, Clone)]
pub(crate) struct Poster {
    client: Client,
    url: String,
    token: String,
}

enum Attempt {
    Outcome(Outcome),
    Again(String),
}

#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default, rename = "type")]
    kind: String,
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
    pub(crate) async fn post(&self, draft: &Draft) -> Outcome {
        let mut last = String::new();
        for attempt in 1..=MAX_ATTEMPTS {
            match self.attempt(draft).await {
                Attempt::Outcome(outcome) => return outcome,
                Attempt::Again(reason) => last = reason,
            }
            tokio::time::sleep(BACKOFF.pause(attempt)).await;
        }
        Outcome::of(Reason::Unsettled, last)
    }

    async fn attempt(&self, draft: &Draft) -> Attempt {
        let request = self
            .client
            .post(&self.url)
            .bearer_auth(&self.token)
            // The article itself is the key: the same one again is the same command again.
            .header("Idempotency-Key", key(draft))
            .json(&body(draft));
        match request.send().await {
            Ok(response) if response.status().is_success() => self.created(response).await,
            Ok(response) => refused(draft, response).await,
            Err(error) => Attempt::Again(format!("{:#}", anyhow::Error::from(error))),
        }
    }

    /// It was created now, or by an earlier attempt or import; what became of it since is another question.
    async fn created(&self, response: Response) -> Attempt {
        let headers = response.headers();
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if header("idempotency-replayed").is_none() {
            return Attempt::Outcome(Outcome::of(Reason::Created, ""));
        }
        let id = header("location").and_then(|location| location.rsplit('/').next());
        let Some(id) = id else {
            return Attempt::Outcome(Outcome::of(Reason::AlreadyThere, ""));
        };
        let looked = self.client.head(format!("{}/{id}", self.url)).send().await;
        match looked.map(|response| response.status()) {
            Ok(StatusCode::GONE) => {
                Attempt::Outcome(Outcome::of(Reason::DeletedMeanwhile, format!("was {id}")))
            }
            Ok(status) if status.is_server_error() => Attempt::Again(status.to_string()),
            Err(error) => Attempt::Again(format!("{:#}", anyhow::Error::from(error))),
            // The read model may not have it yet.
            Ok(_) => Attempt::Outcome(Outcome::of(Reason::AlreadyThere, "")),
        }
    }
}

/// Without slug and tags where there are none: a repeat must be the same to the byte.
fn body(draft: &Draft) -> Value {
    let mut body = json!({ "title": draft.title, "content": draft.content });
    if let Some(slug) = &draft.slug {
        body["slug"] = json!(slug);
    }
    if !draft.tags.is_empty() {
        body["tags"] = json!(draft.tags);
    }
    body
}

/// Title and content alone, so that an article with another slug or other tags is not a second one.
fn key(draft: &Draft) -> String {
    let text = format!("{}\0{}", draft.title, draft.content);
    format!("import-{}", Fingerprint::of("newswire import", text.as_bytes()))
}

async fn refused(draft: &Draft, response: Response) -> Attempt {
    let status = response.status();
    let is_worth_trying_again = response.headers().contains_key("retry-after");
    let problem: Problem = response.json().await.unwrap_or_default();
    let detail = problem.text().unwrap_or_else(|| status.to_string());
    let code = problem.kind.rsplit(':').next().unwrap_or_default();
    let reason = match (status, code) {
        // An earlier attempt of ours is still being worked on.
        (StatusCode::CONFLICT, _) if is_worth_trying_again => return Attempt::Again(detail),
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT, _) => {
            return Attempt::Again(detail);
        }
        (_, "command-id-reused") => {
            return Attempt::Outcome(Outcome::of(Reason::ThereOtherwise, ""));
        }
        (_, "slug-taken") => Reason::SlugTaken,
        (StatusCode::PAYLOAD_TOO_LARGE, _) => Reason::TooLong,
        (StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY, _) => problem.reason(draft),
        // Not about the article: the token has ended, or the address is another one's.
        _ if status.is_client_error() => Reason::Unsettled,
        _ => return Attempt::Again(format!("{}: {detail}", status.as_u16())),
    };
    let slug = draft.slug.as_deref().filter(|_| reason == Reason::SlugTaken);
    let detail = slug.map_or(detail, str::to_owned);
    Attempt::Outcome(Outcome::of(reason, detail))
}

impl Problem {
    fn text(&self) -> Option<String> {
        let flaws: Vec<_> =
            self.errors.iter().map(|flaw| format!("{} {}", flaw.field, flaw.detail)).collect();
        let text = if flaws.is_empty() { self.detail.clone() } else { flaws.join("; ") };
        (!text.is_empty()).then_some(text)
    }

    /// Which rule is broken. Of a content that is there and has no U+0000 only the length can be wrong.
    fn reason(&self, draft: &Draft) -> Reason {
        let is_length = !draft.content.trim().is_empty() && !draft.content.contains('\0');
        let is_content = self.errors.iter().any(|flaw| flaw.field == "content");
        if is_content && is_length { Reason::TooLong } else { Reason::Rule }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_that_of_every_release() {
        let mut draft =
            Draft { title: "T".to_owned(), content: "C".to_owned(), ..Draft::default() };
        let text = Fingerprint::of("newswire import", b"T\0C");
        assert_eq!(key(&draft), format!("import-{text}"));
        assert_eq!(body(&draft), json!({ "title": "T", "content": "C" }));
        draft.slug = Some("t".to_owned());
        assert_eq!(key(&draft), format!("import-{text}"));
    }
}
