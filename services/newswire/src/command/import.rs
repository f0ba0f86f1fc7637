//! `newswire import`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::bail;
use clap::Args;
use eventsourcing::UserId;
use futures_util::{Stream, StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use service_kit::output;
use tokio::sync::mpsc;

use super::{block_on, token};
use crate::import::{
    draft::{Draft, Entry},
    outcome::Outcome,
    poster::Poster,
    rehearsal::Rehearsal,
    source::{self, Source},
    summary::Summary,
};

/// What to import, and where to.
#[derive(Debug, Args)]
#[command(after_help = "\
Markdown files end in .md, .markdown or .mdown. Front matter of Hugo, Zola and Jekyll (YAML, TOML, JSON) gives title,
slug, tags, categories (as tags), date and draft; without a title there, the heading that opens the text is the title,
else the file's name. Articles are sent in the order of their dates; each has the time of the import as its own.
Any other file, a pipe and - (standard input) hold JSON Lines: an object with title, content, slug and tags on each line.

Importing the same again as the same user creates nothing new: an article is known by its title and content.

Exit codes: 0 when every article is there, or was left out or refused with the reason in the summary; 1 when a file or
folder cannot be read, an article is not settled (importing again may help), or no article was found; 2 for wrong usage.")]
pub struct Arguments {
    /// A folder of Markdown files, a Markdown file, a JSON Lines file, or - for JSON Lines on standard input
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
    /// Articles on their way at once; 1 keeps the order exactly
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub concurrency: u16,
    /// Import drafts, too
    #[arg(long)]
    pub drafts: bool,
    /// Read everything and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Name every article in the summary, not just the first ten of each reason
    #[arg(long)]
    pub verbose: bool,
}

/// Posts every article and prints a summary.
pub fn run(config: Option<&Path>, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let source = source::open(&arguments.path, arguments.drafts)?;
    let mut summary = Summary::new(arguments.verbose, arguments.dry_run);
    if arguments.dry_run {
        let mut rehearsal = Rehearsal::new(config)?;
        let bar = bar(source.count);
        for entry in source.entries {
            let outcome = match &entry.draft {
                Ok(draft) => rehearsal.look_at(draft),
                Err(outcome) => outcome.clone(),
            };
            take(&mut summary, &entry, outcome);
            bar.inc(1);
        }
        bar.finish_and_clear();
    } else {
        let poster = Poster::new(&arguments.url, token(config, arguments)?)?;
        block_on(async {
            poster.check().await?;
            post_all(&poster, source, usize::from(arguments.concurrency), &mut summary).await;
            Ok(())
        })?;
    }
    if summary.is_empty() {
        bail!("no article in {}", arguments.path.display());
    }
    output::report(&summary)?;
    Ok(if summary.is_incomplete() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn token(config: Option<&Path>, arguments: &Arguments) -> anyhow::Result<String> {
    if let Some(token) = arguments.token.as_ref().filter(|token| !token.is_empty()) {
        return Ok(token.clone());
    }
    let user = arguments.user.clone();
    token::mint(config, &token::Arguments { user, roles: Vec::new(), hours: 24 })
}

async fn post_all(poster: &Poster, source: Source, concurrency: usize, summary: &mut Summary) {
    let bar = bar(source.count);
    let outcomes = read(source.entries, concurrency)
        .map(|entry| async {
            let outcome = match &entry.draft {
                Ok(draft) => poster.post(draft).await,
                Err(outcome) => outcome.clone(),
            };
            (entry, outcome)
        })
        .buffer_unordered(concurrency);
    let mut outcomes = std::pin::pin!(outcomes);
    while let Some((entry, outcome)) = outcomes.next().await {
        take(summary, &entry, outcome);
        bar.inc(1);
    }
    bar.finish_and_clear();
}

/// The entries as they come. A program that writes into a pipe may take its time, and no article waits for the next
/// line meanwhile.
fn read(
    entries: impl Iterator<Item = Entry> + Send + 'static,
    ahead: usize,
) -> impl Stream<Item = Entry> {
    let (sender, receiver) = mpsc::channel(ahead);
    tokio::task::spawn_blocking(move || {
        for entry in entries {
            if sender.blocking_send(entry).is_err() {
                return;
            }
        }
    });
    stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)))
}

/// Counts what became of `entry`, and what of its source is not in the article.
fn take(summary: &mut Summary, entry: &Entry, outcome: Outcome) {
    if let Ok(Draft { losses, .. }) = &entry.draft {
        for loss in losses {
            summary.lost(&entry.place, loss);
        }
    }
    summary.add(&entry.place, outcome);
}

/// A bar on a terminal, or just numbers when nobody knows how many there are; nothing elsewhere.
fn bar(count: Option<u64>) -> ProgressBar {
    let (bar, template) = match count {
        Some(count) => {
            (ProgressBar::new(count), "{bar:40} {pos}/{len} articles, {per_sec}, {eta} left")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {pos} articles, {per_sec}"),
    };
    bar.enable_steady_tick(Duration::from_millis(200));
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
