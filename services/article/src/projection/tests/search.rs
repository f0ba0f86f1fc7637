//! What a search finds.

use rand::{SeedableRng as _, rngs::StdRng};
use read_model::testing::Tables as _;
use test_support::user;

use super::{
    Articled, Asked,
    reads::titles,
    story::{Story, deleted, updated},
    writes::random_story,
};
use crate::projection::rows::{ListPage, SearchPage};

pub(super) async fn run<D: Articled>(database: &D) {
    words_are_found_where_they_are_now(database).await;
    the_best_is_found_first(database).await;
    nothing_that_is_looked_for_is_an_error(database).await;
    writing_without_spaces_is_found(database).await;
    characters_that_nobody_sees_split_no_words(database).await;
    every_word_counts(database).await;
    what_is_found_is_what_there_is(database).await;
}

async fn found<T: Asked>(tables: &T, words: &str) -> Vec<String> {
    let words = words.split(' ').map(str::to_owned).collect();
    let page = SearchPage { words, limit: 100, ..SearchPage::default() };
    let hits = tables.search(&page).await.expect("the tables").data.hits;
    hits.into_iter().map(|hit| hit.article.title).collect()
}

async fn words_are_found_where_they_are_now<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    let changed = story.create("ann", "changed", "about badgers", &[]);
    let gone = story.create("ann", "gone", "about badgers too", &[]);
    story.tell(&tables, 10).await;
    assert_eq!(found(&tables, "badgers").await.len(), 2);
    story.push(changed, &updated("changed", "about otters", None));
    story.push(gone, &deleted());
    story.tell(&tables, 10).await;
    assert_eq!(found(&tables, "badgers").await, [""; 0]);
    assert_eq!(found(&tables, "OTTERS about").await, ["changed"], "all words, in any case");
    assert_eq!(found(&tables, "otters badgers").await, [""; 0]);
    let page = SearchPage { words: vec!["otters".to_owned()], limit: 1, ..SearchPage::default() };
    let seen = tables.search(&page).await.expect("the tables");
    assert_eq!(seen.data.hits[0].snippet, "about \u{1}otters\u{2}");
    assert_eq!((seen.position, seen.data.newest), (story.end(), 4));
    let older = SearchPage { newest: Some(1), ..page.clone() };
    assert!(tables.search(&older).await.expect("the tables").data.hits.is_empty());
    let bobs = SearchPage { author: Some(user("bob")), ..page };
    assert!(tables.search(&bobs).await.expect("the tables").data.hits.is_empty());
    tables.close().await;
}

async fn the_best_is_found_first<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    story.create("ann", "in the title: heron", "something else", &[]);
    story.create("ann", "in the content", "a heron among many other words", &["x"]);
    for number in 0..5 {
        story.create("ann", &format!("other {number}"), "nothing of that kind", &[]);
    }
    story.tell(&tables, 10).await;
    assert_eq!(found(&tables, "heron").await, ["in the title: heron", "in the content"]);
    let page = SearchPage {
        words: vec!["heron".to_owned()],
        limit: 1,
        offset: 1,
        ..SearchPage::default()
    };
    let second = tables.search(&page).await.expect("the tables").data.hits;
    assert_eq!(second[0].article.title, "in the content");
    let tagged = SearchPage { tag: Some("x".to_owned()), offset: 0, ..page };
    assert_eq!(tables.search(&tagged).await.expect("the tables").data.hits.len(), 1);
    tables.close().await;
}

async fn nothing_that_is_looked_for_is_an_error<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    story.create("ann", "T", "a plain text", &[]);
    story.tell(&tables, 10).await;
    for words in [
        "a OR b",
        "\"",
        "NEAR(a b)",
        "*",
        "a*",
        "-",
        "(",
        "' OR 1=1",
        "col:a",
        "&",
        "!",
        "<->",
        "🦀",
        "\\",
    ] {
        found(&tables, words).await;
    }
    let none = SearchPage { limit: 1, ..SearchPage::default() };
    assert!(tables.search(&none).await.expect("the tables").data.hits.is_empty());
    assert_eq!(found(&tables, "plain").await, ["T"]);
    tables.close().await;
}

/// What the first hit for `words` shows.
async fn snippet<T: Asked>(tables: &T, words: &str) -> String {
    let words = words.split(' ').map(str::to_owned).collect();
    let page = SearchPage { words, limit: 1, ..SearchPage::default() };
    let hits = tables.search(&page).await.expect("the tables").data.hits;
    hits.into_iter().next().expect("a hit").snippet
}

async fn writing_without_spaces_is_found<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    story.create("ann", "ja", "明日の東京都の天気予報です。傘は要りません。", &[]);
    story.create("ann", "zh", "今天北京的天气很好，适合出门。", &[]);
    story.create("ann", "ko", "서울날씨예보, 오늘은 맑습니다", &[]);
    story.create("ann", "mixed", "Rust入門2026年版と実践テスト", &[]);
    let changed = story.create("ann", "changed", "吾輩は猫である", &[]);
    story.create("ann", "京都観光", "in the title", &[]);
    story.create(
        "ann",
        "narrow",
        "ﾃｽﾄとＴＥＳＴ, \u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}",
        &[],
    );
    story.tell(&tables, 3).await;
    for (words, titles) in [
        ("天気", &["ja"][..]),
        ("東京 予報", &["ja"]),
        ("天気予報です", &["ja"]),
        ("気天", &[]),
        ("東京都天気", &[]),
        ("天气", &["zh"]),
        ("北京 天气很好", &["zh"]),
        ("날씨", &["ko"]),
        ("예보 오늘", &["ko"]),
        ("rust", &["mixed"]),
        ("入門", &["mixed"]),
        ("Rust入門", &["mixed"]),
        ("2026年", &["mixed"]),
        ("門2026", &["mixed"]),
        ("猫", &["changed"]),
        ("京都観光", &["京都観光"]),
        ("テスト", &["narrow", "mixed"]),
        ("test", &["narrow"]),
        ("한글", &["narrow"]),
    ] {
        let mut found = found(&tables, words).await;
        found.sort_unstable_by_key(|title| title != "narrow");
        assert_eq!(found, titles, "{words}");
    }
    for (words, seen) in [
        ("気予", "\u{1}気予\u{2}報です。"),
        ("天気予報", "\u{1}天気予報\u{2}です。"),
        ("Rust 年版", "\u{1}Rust\u{2}入門2026\u{1}年版\u{2}と実践テスト"),
        ("京都観", "\u{1}京都観\u{2}光"),
    ] {
        let snippet = snippet(&tables, words).await;
        assert!(snippet.contains(seen), "{words}: {snippet:?}");
    }
    story.push(changed, &updated("changed", "吾輩は犬である", None));
    story.tell(&tables, 3).await;
    assert_eq!(found(&tables, "は猫").await, [""; 0]);
    assert_eq!(found(&tables, "は犬").await, ["changed"]);
    tables.close().await;
}

async fn characters_that_nobody_sees_split_no_words<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    story.create("ann", "soft", "Donau\u{ad}dampf\u{200b}schiff\u{2060}fahrt", &[]);
    story.create("ann", "plain", "Donaudampfschifffahrt", &[]);
    story.create("ann", "composed", "ein Cafe\u{301}", &[]);
    story.tell(&tables, 3).await;
    for words in ["donaudampfschifffahrt", "Donau\u{ad}dampfschiff\u{200d}fahrt"] {
        assert_eq!(found(&tables, words).await.len(), 2, "{words}");
    }
    assert_eq!(found(&tables, "dampf").await, [""; 0]);
    assert_eq!(found(&tables, "café").await, ["composed"]);
    tables.close().await;
}

async fn every_word_counts<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    let words: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    story.create("ann", "all", &words.join(" "), &[]);
    story.create("ann", "all but the last", &words[..99].join(" "), &[]);
    story.tell(&tables, 3).await;
    assert_eq!(found(&tables, &words.join(" ")).await, ["all"]);
    assert_eq!(found(&tables, &words[..99].join(" ")).await.len(), 2);
    tables.close().await;
}

/// The search agrees with the table, after everything that can happen to articles, however it was made.
async fn what_is_found_is_what_there_is<D: Articled>(database: &D) {
    for deferred in [false, true] {
        let tables = super::tables(database).await;
        if deferred {
            tables.fence(1).await.expect("the tables");
            tables.defer_search(1).await.expect("the tables");
        }
        let mut story = random_story(&mut StdRng::seed_from_u64(11), 150);
        story.tell(&tables, 9).await;
        if deferred {
            assert!(!tables.index(0).await.expect("the tables"), "the epoch is another");
            assert!(tables.index(1).await.expect("the tables"));
        }
        story.extend(random_story(&mut StdRng::seed_from_u64(12), 50));
        story.tell(&tables, 9).await;
        search_agrees(&tables).await;
        tables.close().await;
    }
}

async fn search_agrees<T: Asked>(tables: &T) {
    let all = titles(tables, ListPage { limit: 1000, ..ListPage::default() }).await;
    let mut with_word = found(tables, "again").await;
    with_word.sort_unstable();
    let mut expected = all.clone();
    expected.sort_unstable();
    assert!(all.len() > 10);
    assert_eq!(with_word.len(), expected.len().min(100));
    assert!(with_word.iter().all(|title| expected.binary_search(title).is_ok()));
}
