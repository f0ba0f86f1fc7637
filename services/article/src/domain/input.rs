//! What clients may write of an article, checked as a whole: every field at fault is named.

use contracts::article::ArticleRefusal;

use super::{bounded::Bounds, slug, tags, text};

/// Refuses what breaks a rule; gives the tags in the form in which they are kept.
pub(crate) fn check(
    title: &str,
    content: &str,
    slug: Option<&str>,
    tags: &[String],
    bounds: Bounds,
) -> Result<Vec<String>, ArticleRefusal> {
    let texts = text::flaws(title, content, bounds);
    let mut errors: Vec<_> = texts.chain(slug.and_then(slug::flaw)).collect();
    match tags::normalise(tags) {
        Ok(tags) if errors.is_empty() => return Ok(tags),
        Ok(_) => {}
        Err(error) => errors.push(error),
    }
    Err(ArticleRefusal::Invalid(errors))
}
