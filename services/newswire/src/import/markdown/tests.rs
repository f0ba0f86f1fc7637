use super::*;

fn read(path: &str, text: &str) -> Result<Draft, Outcome> {
    draft(Path::new(path), text, Reading { root: Path::new("site"), drafts: false })
}

#[test]
fn the_heading_that_opens_a_text_is_its_title() {
    for (text, title, content) in [
        ("# Title #1\n\nText\n", "Title #1", "Text"),
        ("# Title ##\nText", "Title", "Text"),
        ("#\tTitle\nText", "Title", "Text"),
        ("Title\n=====\nText", "Title", "Text"),
        ("Title\nof two lines\n---\n\nText", "Title of two lines", "Text"),
        ("\n\n# A *fine* `title` of [links](/a)\nText", "A *fine* `title` of [links](/a)", "Text"),
        ("<!-- lint -->\n\n# Title\n\nText", "Title", "<!-- lint -->\n\nText"),
        ("Text only", "name", "Text only"),
        ("## Section\nText", "name", "## Section\nText"),
        ("#hashtag\nText", "name", "#hashtag\nText"),
        ("Text\n\n# Later", "name", "Text\n\n# Later"),
        ("```\n# a comment\n```", "name", "```\n# a comment\n```"),
        ("#\nText", "name", "#\nText"),
    ] {
        let draft = read("site/name.md", text).expect("an article");
        assert_eq!((draft.title.as_str(), draft.content.as_str()), (title, content), "{text}");
        assert!(draft.slug.is_none() && draft.tags.is_empty());
    }
}

#[test]
fn front_matter_comes_first_then_heading_then_name() {
    let titled = read("site/a.md", "---\ntitle: Front\n---\n# Heading\nText").expect("an article");
    assert_eq!((titled.title.as_str(), titled.content.as_str()), ("Front", "# Heading\nText"));
    let headed = read("site/a.md", "---\nslug: My-Slug\n---\n# Heading\nText").expect("an article");
    assert_eq!((headed.title.as_str(), headed.content.as_str()), ("Heading", "Text"));
    assert_eq!(headed.slug.as_deref(), Some("my-slug"));
    let bundle =
        read("site/first/index.md", "---\ndate: 2024-01-31\n---\nText").expect("an article");
    assert_eq!((bundle.title.as_str(), bundle.slug), ("first", None));
    let post = read("site/_posts/2024-01-31-Light.md", "---\ntags: a b\n---\nText");
    let post = post.expect("an article");
    assert_eq!((post.title.as_str(), post.slug.as_deref()), ("Light", Some("light")));
    assert_eq!(post.tags, ["a", "b"]);
}

#[test]
fn drafts_sections_and_empty_files_are_told_apart() {
    for (path, text, reason) in [
        ("site/a.md", "---\ndraft: true\n---\nText", Reason::Draft),
        ("site/_drafts/a.md", "Text", Reason::Draft),
        ("site/_index.md", "---\ntitle: Section\n---\n", Reason::Section),
        ("site/a.md", "---\ntitle: T\n---\n\n", Reason::Empty),
        ("site/a.md", "---\ntitle: {\n---\nText", Reason::Malformed),
    ] {
        assert_eq!(read(path, text).expect_err(text).reason, reason, "{text}");
    }
}
