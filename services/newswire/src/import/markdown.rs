//! A Markdown file as an article.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

use super::{
    draft::{Draft, Entry},
    file_name,
    front_matter::{self, Split},
    outcome::{Outcome, Reason},
    terms,
};

/// The largest file. No article is that large, and a file is in memory.
const MAX_FILE: u64 = 8 * 1024 * 1024;
/// The folder in which Jekyll looks for drafts.
const DRAFTS: &str = "_drafts";
/// The name of the pages of Hugo and Zola that are about a section.
const SECTION: &str = "_index";

/// How Markdown files are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    /// Where the site begins, if `path` is in one.
    pub(super) root: &'a Path,
    /// Whether drafts are wanted.
    pub(super) drafts: bool,
}

/// The article in the file at `path`.
pub(super) fn entry(path: &Path, reading: Reading<'_>) -> Entry {
    let place = path.display().to_string();
    match text(path) {
        Ok(text) => Entry { place, draft: draft(path, &text, reading) },
        Err(error) => Entry::unreadable(place, &error),
    }
}

/// When the article in the file at `path` says that it was written, as text that sorts; empty if it does not say.
pub(super) fn date(path: &Path) -> String {
    let text = text(path).unwrap_or_default();
    let Ok(Split { front_matter: Some(front_matter), .. }) = front_matter::split(&text) else {
        return String::new();
    };
    let date = front_matter.date.map(|date| date.0).filter(|date| file_name::is_date(date));
    let date = date.or_else(|| file_name::read(path).date).unwrap_or_default();
    // The offset from UTC is left out of account: it moves nothing by more than a day.
    date.chars().take(19).map(|char| if char == 'T' { ' ' } else { char }).collect()
}

fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if read as u64 > MAX_FILE {
        return Err(io::Error::other(format!("it has more than {MAX_FILE} bytes")));
    }
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

fn draft(path: &Path, text: &str, reading: Reading<'_>) -> Result<Draft, Outcome> {
    if file_name::stem(path) == SECTION {
        return Err(Outcome::of(Reason::Section, ""));
    }
    let split = front_matter::split(text);
    let Split { front_matter, body } =
        split.map_err(|error| Outcome::of(Reason::Malformed, error))?;
    let is_draft = front_matter.as_ref().is_some_and(front_matter::FrontMatter::is_draft)
        || path.strip_prefix(reading.root).is_ok_and(|path| path.iter().any(|part| part == DRAFTS));
    if is_draft && !reading.drafts {
        return Err(Outcome::of(Reason::Draft, ""));
    }
    let mut draft = Draft { content: body.trim().to_owned(), ..Draft::default() };
    let Some(mut front_matter) = front_matter else {
        title_from(&mut draft, body, &file_name::stem(path));
        return full(draft);
    };
    let name = file_name::read(path);
    match front_matter.title.take().filter(|title| !title.0.trim().is_empty()) {
        Some(title) => title.0.trim().clone_into(&mut draft.title),
        None => title_from(&mut draft, body, &name.stem),
    }
    match (&front_matter.slug, &name.date) {
        (Some(slug), _) => terms::set_slug(&mut draft, &slug.0),
        // Jekyll's own slug of the article.
        (None, Some(_)) => terms::set_slug(&mut draft, &name.stem),
        (None, None) => {}
    }
    terms::set_tags(&mut draft, front_matter.tags());
    full(draft)
}

fn full(draft: Draft) -> Result<Draft, Outcome> {
    if draft.content.is_empty() { Err(Outcome::of(Reason::Empty, "")) } else { Ok(draft) }
}

/// The heading with which `body` opens is the title and the rest the content; without one, `name` is the title.
fn title_from(draft: &mut Draft, body: &str, name: &str) {
    match opening_heading(body) {
        Some(Heading { title, before, after }) => {
            draft.title = title;
            let text = [before.trim(), after.trim()].join("\n\n");
            text.trim().clone_into(&mut draft.content);
        }
        None => name.clone_into(&mut draft.title),
    }
}

struct Heading<'a> {
    title: String,
    before: &'a str,
    after: &'a str,
}

/// The first block of `text`, comments and other HTML aside, if it is a heading of the first level, or of the second with
/// a line under it.
fn opening_heading(text: &str) -> Option<Heading<'_>> {
    let mut events = Parser::new(text).into_offset_iter();
    let (level, whole) = loop {
        match events.next()? {
            (Event::Start(Tag::HtmlBlock) | Event::Html(_) | Event::End(TagEnd::HtmlBlock), _) => {}
            (Event::Start(Tag::Heading { level, .. }), range) => break (level, range),
            _ => return None,
        }
    };
    let is_closed = text[whole.clone()].starts_with('#');
    if level != HeadingLevel::H1 && (is_closed || level != HeadingLevel::H2) {
        return None;
    }
    // Its text as it is written, without what makes it a heading.
    let mut inner =
        events.take_while(|(event, _)| !matches!(event, Event::End(TagEnd::Heading(_))));
    let first = inner.next()?.1;
    let last = inner.last().map_or(first.end, |(_, range)| range.end.max(first.end));
    let title = text[first.start..last].split_whitespace().collect::<Vec<_>>().join(" ");
    Some(Heading { title, before: &text[..whole.start], after: &text[whole.end..] })
}

#[cfg(test)]
mod tests;
