//! `newswire import`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use eventsourcing::UserId;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};

use super::{block_on, token};
use crate::import::{
    poster::{Posted, Poster},
    source::{self, Entry},
    summary::Summary,
};

/// What to import, and where to.
#[derive(Debug, Args)]
#[command(after_help = "\
The file holds a JSON object with title and content on each line; a folder is searched for *.md files.
Importing the same again as the same user creates nothing new. Refused articles break a rule and are listed.
The exit code is 1 when some could not be settled and importing again may help.")]
pub struct Arguments {
    /// The JSON Lines file or the folder
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// The gateway
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The author's token; without it, one for --user is signed with the key of the settings
    #[arg(long, env = "NEWSWIRE_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// The author, when no token is given
    #[arg(long, value_name = "NAME", default_value = "importer")]
    pub user: UserId,
    /// Articles on their way at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
}

/// Posts every article and prints a summary.
pub fn run(config: Option<&Path>, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let token = if let Some(token) = &arguments.token {
        token.clone()
    } else {
        let user = arguments.user.clone();
        token::mint(config, &token::Arguments { user, roles: Vec::new(), hours: 24 })?
    };
    let poster = Poster::new(&arguments.url, token)?;
    let (count, entries) = source::open(&arguments.path)?;
    let summary = block_on(async {
        poster.check().await?;
        Ok(post_all(&poster, count, entries, usize::from(arguments.concurrency)).await)
    })?;
    service_kit::output::report(&summary)?;
    Ok(if summary.is_incomplete() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn post_all(
    poster: &Poster,
    count: u64,
    entries: impl Iterator<Item = Entry>,
    concurrency: usize,
) -> Summary {
    let bar = ProgressBar::new(count);
    let template = "{bar:40} {pos}/{len} articles, {per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let mut outcomes = stream::iter(entries)
        .map(|Entry { place, draft }| async {
            match draft {
                Ok(draft) => (place, poster.post(&draft).await),
                Err(reason) => (place, Posted::Refused(reason)),
            }
        })
        .buffer_unordered(concurrency);
    let mut summary = Summary::default();
    while let Some((place, outcome)) = outcomes.next().await {
        summary.add(place, outcome);
        bar.inc(1);
    }
    bar.finish_and_clear();
    summary
}
