//! A site of many articles, each in the style of one of the generators.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

use super::{articles, import};
use crate::app::App;

/// A file of JSON Lines with articles of one's own, to be made a site of.
const DATA: &str = "NEWSWIRE_TEST_ARTICLES";
/// How many there are without such a file.
const ARTICLES: usize = 60;

/// The articles to make a site of.
fn given() -> Vec<(String, String)> {
    let Ok(path) = std::env::var(DATA) else {
        let article = |number| (format!("E{number:04}: \"why\""), format!("Note {number}:\n---\n"));
        return (0..ARTICLES).map(article).collect();
    };
    let lines = fs::read_to_string(path).expect("the file with articles");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let article = |line: &str| {
        let article: Value = serde_json::from_str(line).expect("JSON");
        (text(&article["title"]), text(&article["content"]))
    };
    lines.lines().map(article).collect()
}

/// Writes an article as one of the generators has it; every third in another style.
fn write_post(site: &Path, number: usize, title: &str, content: &str) {
    let (slug, tags) = (format!("post-{number}"), format!("t{}", number % 7));
    // A string of JSON is one of YAML and TOML, too.
    let title = json!(title);
    let (name, text) = match number % 3 {
        0 => {
            let head = format!("title: {title}\nslug: {slug}\ntags:\n  - {tags}\n  - Error Index");
            (format!("{slug}.md"), format!("---\n{head}\n---\n\n{content}"))
        }
        1 => {
            let terms = format!("[taxonomies]\ntags = [\"{tags}\", \"Error Index\"]");
            let head = format!("title = {title}\nslug = \"{slug}\"\n{terms}");
            (format!("{slug}.markdown"), format!("+++\n{head}\n+++\n\n{content}"))
        }
        _ => {
            let head = format!("layout: post\ntitle: {title}\ntags: {tags}, Error Index");
            (format!("2024-01-31-{slug}.mdown"), format!("---\n{head}\n---\n\n{content}"))
        }
    };
    fs::write(site.join(name), text).expect("written");
}

#[tokio::test]
async fn many_articles_in_three_styles_keep_titles_slugs_and_tags() {
    let app = App::start().await;
    let site = app.dir.path().join("site");
    fs::create_dir(&site).expect("created");
    let given = given();
    let mut all = BTreeMap::new();
    for (number, (title, content)) in given.iter().enumerate() {
        write_post(&site, number, title, content);
        let tags = vec![format!("t{}", number % 7), "error-index".to_owned()];
        if (1..=10_000).contains(&content.trim().chars().count()) {
            // White space around a title in front matter is not part of it.
            all.insert(title.trim().to_owned(), (format!("post-{number}"), tags));
        }
    }
    let (code, summary, errors) = import(&app, &[&site.display().to_string()]);
    assert_eq!(code, Some(0), "{summary}{errors}");
    assert!(summary.contains(&format!("{} created", all.len())), "{summary}");
    let imported = articles(&app, all.len()).await;
    let differing: Vec<_> =
        all.iter().filter(|(title, one)| imported.get(*title) != Some(one)).collect();
    assert!(differing.is_empty() && imported.len() == all.len(), "{differing:?}");
    let (_, summary, _) = import(&app, &[&site.display().to_string()]);
    assert!(summary.contains(&format!("0 created, {} already there", all.len())), "{summary}");
}
