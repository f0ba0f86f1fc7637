//! Front matter, as Hugo, Zola and Jekyll have it at the head of a Markdown file: YAML between `---`, TOML between `+++`,
//! or a JSON object.

mod value;

use serde::Deserialize;

use self::value::{Flag, Terms, Text};

/// What front matter says that an article can have. Everything else in it is the site generator's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FrontMatter {
    pub(super) title: Option<Text>,
    pub(super) slug: Option<Text>,
    pub(super) date: Option<Text>,
    draft: Option<Flag>,
    published: Option<Flag>,
    tags: Option<Terms>,
    tag: Option<Terms>,
    categories: Option<Terms>,
    category: Option<Terms>,
    taxonomies: Taxonomies,
}

/// `[taxonomies]` of Zola.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Taxonomies {
    tags: Option<Terms>,
    categories: Option<Terms>,
}

impl FrontMatter {
    /// Whether it is not to be published yet: `draft: true`, or `published: false` of Jekyll.
    pub(super) fn is_draft(&self) -> bool {
        self.draft.is_some_and(|Flag(draft)| draft)
            || self.published.is_some_and(|Flag(published)| !published)
    }

    /// Tags first, then categories.
    pub(super) fn tags(self) -> impl Iterator<Item = String> {
        let Taxonomies { tags, categories, .. } = self.taxonomies;
        let all = [self.tags, self.tag, tags, self.categories, self.category, categories];
        all.into_iter().flatten().flat_map(|Terms(terms)| terms)
    }
}

/// A file in its two parts.
#[derive(Debug)]
pub(super) struct Split<'a> {
    /// `None` when there is none.
    pub(super) front_matter: Option<FrontMatter>,
    pub(super) body: &'a str,
}

/// Parts `text` where its front matter ends.
///
/// # Errors
/// It begins and ends as front matter does, and cannot be read.
pub(super) fn split(text: &str) -> Result<Split<'_>, String> {
    let plain = Split { front_matter: None, body: text };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let read = match first.trim_end() {
        "---" => block(rest, &["---", "..."]).map(|(head, body)| (yaml(head), body)),
        "+++" => block(rest, &["+++"]).map(|(head, body)| (toml(head), body)),
        _ if text.starts_with('{') => json(text).map(|(front, body)| (Ok(Some(front)), body)),
        _ => None,
    };
    match read {
        None | Some((Ok(None), _)) => Ok(plain),
        Some((Ok(front_matter), body)) => Ok(Split { front_matter, body }),
        Some((Err(error), _)) => Err(format!("the front matter cannot be read: {error}")),
    }
}

/// What comes before and after the first line that is one of `ends`.
fn block<'a>(text: &'a str, ends: &[&str]) -> Option<(&'a str, &'a str)> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if ends.contains(&line.trim_end()) {
            return Some((&text[..start], &text[start + line.len()..]));
        }
        start += line.len();
    }
    None
}

/// `None` when it is no mapping: then the lines around it are thematic breaks of Markdown.
fn yaml(text: &str) -> Result<Option<FrontMatter>, String> {
    if text.trim().is_empty() {
        return Ok(Some(FrontMatter::default()));
    }
    match serde_saphyr::from_str::<FrontMatter>(text) {
        Ok(front_matter) => Ok(Some(front_matter)),
        Err(_) if serde_saphyr::from_str::<String>(text).is_ok() => Ok(None),
        // The first line says what is wrong and where; the others draw it.
        Err(error) => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
    }
}

fn toml(text: &str) -> Result<Option<FrontMatter>, String> {
    ::toml::from_str(text).map(Some).map_err(|error| error.message().to_owned())
}

/// `None` when it is none: shortcodes and templates begin with a brace, too.
fn json(text: &str) -> Option<(FrontMatter, &str)> {
    let mut objects = serde_json::Deserializer::from_str(text).into_iter::<FrontMatter>();
    let front_matter = objects.next()?.ok()?;
    Some((front_matter, &text[objects.byte_offset()..]))
}

#[cfg(test)]
mod tests;
