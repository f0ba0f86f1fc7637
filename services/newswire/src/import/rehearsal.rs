//! What an import would do, as far as that can be known without asking the services.

use std::{collections::BTreeSet, num::NonZeroU32, path::Path};

use serde::Deserialize;
use service_kit::settings;

use super::{
    draft::Draft,
    outcome::{Outcome, Reason},
};

#[derive(Deserialize)]
struct Settings {
    article: ArticleSettings,
}

#[derive(Deserialize)]
struct ArticleSettings {
    max_content_chars: NonZeroU32,
}

/// Looks at drafts one after the other.
pub(crate) struct Rehearsal {
    max_content: usize,
    slugs: BTreeSet<String>,
}

impl Rehearsal {
    /// With the bound of the settings at hand.
    pub(crate) fn new(config: Option<&Path>) -> anyhow::Result<Self> {
        let Settings { article } = settings::load(config)?;
        let max_content = usize::try_from(article.max_content_chars.get())?;
        Ok(Self { max_content, slugs: BTreeSet::new() })
    }

    /// What would become of `draft` in an installation without articles.
    pub(crate) fn look_at(&mut self, draft: &Draft) -> Outcome {
        let length = draft.content.chars().count();
        if length > self.max_content {
            let max = self.max_content;
            let detail = format!("content must be 1 to {max} characters long, not {length}");
            return Outcome::of(Reason::TooLong, detail);
        }
        match &draft.slug {
            Some(slug) if !self.slugs.insert(slug.clone()) => Outcome::of(Reason::SlugTaken, slug),
            _ => Outcome::of(Reason::Created, ""),
        }
    }
}
