//! Slugs and tags of other programs in the forms that articles have.

use contracts::article::{MAX_TAG_CHARS, MAX_TAGS, tag_form};

use super::draft::{Draft, Loss};

/// The longest slug.
const MAX_SLUG: usize = 100;

/// Gives `draft` the slug `text`, with small letters and single hyphens, if that leaves nothing of it out.
pub(super) fn set_slug(draft: &mut Draft, text: &str) {
    let lower = text.trim().to_ascii_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let slug = words.join("-");
    if lower.is_ascii() && (1..=MAX_SLUG).contains(&slug.len()) {
        draft.slug = Some(slug);
    } else if !lower.is_empty() {
        draft.losses.push(Loss::Slug(text.to_owned()));
    }
}

/// Gives `draft` the first of `tags` that fit, each once.
pub(super) fn set_tags(draft: &mut Draft, tags: impl IntoIterator<Item = String>) {
    let mut lost = Vec::new();
    for tag in tags {
        let form = tag_form(&tag);
        if form.is_empty() || draft.tags.contains(&form) {
            continue;
        }
        let fits = form.chars().count() <= MAX_TAG_CHARS && !form.chars().any(char::is_control);
        if fits && draft.tags.len() < MAX_TAGS {
            draft.tags.push(form);
        } else {
            lost.push(tag);
        }
    }
    if !lost.is_empty() {
        draft.losses.push(Loss::Tags(lost));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_of_ascii_is_brought_into_form_and_another_is_left_out() {
        for (text, slug) in [
            ("first-light", Some("first-light")),
            ("My_Post: v1.2!", Some("my-post-v1-2")),
            ("größe", None),
            ("--", None),
            (&"x".repeat(MAX_SLUG + 1), None),
        ] {
            let mut draft = Draft::default();
            set_slug(&mut draft, text);
            assert_eq!(draft.slug.as_deref(), slug, "{text}");
            assert_eq!(draft.losses.is_empty(), slug.is_some(), "{text}");
        }
    }

    #[test]
    fn the_first_ten_tags_that_fit_are_kept_and_the_others_named() {
        let mut draft = Draft::default();
        let long = "x".repeat(MAX_TAG_CHARS + 1);
        let mut tags = vec!["Web Dev".to_owned(), "web-dev".to_owned(), " ".to_owned(), long];
        tags.extend((0..MAX_TAGS).map(|number| format!("t{number}")));
        let (long, last) = (tags[3].clone(), tags.last().cloned().expect("some"));
        set_tags(&mut draft, tags);
        assert_eq!((draft.tags.len(), draft.tags[0].as_str()), (MAX_TAGS, "web-dev"));
        assert_eq!(draft.losses, [Loss::Tags(vec![long, last])]);
    }
}
