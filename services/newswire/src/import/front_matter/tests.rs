use std::fmt::Write as _;

use super::*;

fn read(text: &str) -> (FrontMatter, &str) {
    let split = split(text).expect("readable");
    (split.front_matter.expect("front matter"), split.body)
}

fn text(text: Option<&Text>) -> &str {
    text.map_or("", |Text(text)| text)
}

#[test]
fn yaml_toml_and_json_say_the_same() {
    let yaml = "---\r\ntitle: 'A: b'\r\nslug: a-b\r\ndate: 2024-01-31 10:00:00 +0100\r\ntags: [x, 3.10]\r\ndraft: true\r\n---\r\nBody";
    let toml = "+++\ntitle = \"A: b\"\nslug = \"a-b\"\ndate = 2024-01-31T10:00:00+01:00\ndraft = true\n[taxonomies]\ntags = [\"x\", \"3.10\"]\nauthors = [\"ann\"]\n[extra]\na = 1\n+++\nBody";
    let json = "{\n\"title\": \"A: b\", \"slug\": \"a-b\", \"date\": \"2024-01-31\", \"tags\": [\"x\", \"3.10\"], \"draft\": true, \"more\": {}\n}\nBody";
    for (style, source) in [("yaml", yaml), ("toml", toml), ("json", json)] {
        let (front_matter, body) = read(source);
        assert_eq!(text(front_matter.title.as_ref()), "A: b", "{style}");
        assert_eq!(text(front_matter.slug.as_ref()), "a-b", "{style}");
        assert!(text(front_matter.date.as_ref()).starts_with("2024-01-31"), "{style}");
        assert!(front_matter.is_draft(), "{style}");
        assert_eq!(front_matter.tags().collect::<Vec<_>>(), ["x", "3.10"], "{style}");
        assert_eq!(body.trim(), "Body", "{style}");
    }
}

#[test]
fn values_are_taken_as_they_are_written() {
    let (front_matter, _) = read("---\ntitle: 1.10\ntags: a b\ncategories: c d, e\n---\n");
    assert_eq!(text(front_matter.title.as_ref()), "1.10");
    assert_eq!(front_matter.tags().collect::<Vec<_>>(), ["a", "b", "c d", "e"]);
    let (front_matter, _) =
        read("---\ntitle:\ntags:\n  - a\n  -\npublished: false\nlayout: post\n---\n");
    assert!(front_matter.title.is_none() && front_matter.is_draft());
    assert_eq!(front_matter.tags().collect::<Vec<_>>(), ["a"]);
    let (front_matter, body) = read("---\n---\nBody");
    assert!(!front_matter.is_draft() && body == "Body");
}

#[test]
fn what_only_looks_like_front_matter_is_text() {
    for text in [
        "---\nA thought.\n---\nAnother.",
        "---\ntitle: open",
        "{{< toc >}}\n",
        "{% raw %}",
        "",
        "+++",
        "text",
    ] {
        let split = split(text).expect("readable");
        assert!(split.front_matter.is_none() && split.body == text, "{text}");
    }
}

#[test]
fn broken_front_matter_is_named_and_a_bomb_is_one() {
    let mut bomb = "---\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        writeln!(bomb, "a{level}: &a{level} [{before}]").expect("text");
    }
    bomb += "tags: *a11\n---\nBody";
    for text in ["---\ntitle: [a\n---\nBody", "+++\ntitle = \n+++\nBody", bomb.as_str()] {
        let error = split(text).expect_err("refused");
        assert!(error.contains("front matter") && error.len() < 400, "{error}");
    }
}
