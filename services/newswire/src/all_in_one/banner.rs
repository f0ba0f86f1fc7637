//! What a person who starts Newswire wants to see first.

use std::{fmt::Write as _, path::Path};

use anyhow::Context as _;
use service_kit::{Site, output};

use crate::command::token;

/// The user of the token that is printed.
const USER: &str = "dev";

/// Prints to standard output where everything is, a token and three things to try.
pub(super) async fn print(config: Option<&Path>, site: &Site, nats: &str) -> anyhow::Result<()> {
    let address = site.address().await.context("nothing is served")?;
    let user = USER.parse().context("naming the user failed")?;
    let token = token::mint(config, &token::Arguments { user, roles: Vec::new(), hours: 24 })?;
    let mut text = String::new();
    write!(
        text,
        "
Newswire is ready.

  REST         http://{address}/api/articles
  live socket  ws://{address}/ws
  NATS         {nats}

A token for the user {USER}, valid for a day:

  TOKEN={token}

To try it:

  curl -i http://{address}/api/articles -H \"Authorization: Bearer $TOKEN\" \\
       -H 'Content-Type: application/json' -d '{{\"title\":\"Hello\",\"content\":\"First light\"}}'
  curl -s http://{address}/api/articles
  curl -s http://{address}/readyz

Ctrl-C ends everything.

"
    )?;
    // Whether anybody reads it or not, the services run.
    if let Err(error) = output::report(text.trim_end_matches('\n')) {
        tracing::warn!(
            error = format!("{:#}", anyhow::Error::from(error)),
            "the start was not announced"
        );
    }
    Ok(())
}
