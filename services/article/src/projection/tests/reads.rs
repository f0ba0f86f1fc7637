//! What queries see.

use read_model::testing::Tables as _;
use test_support::user;
use uuid::Uuid;

use super::{
    Articled, Asked,
    story::{Story, deleted, slugged, updated},
};
use crate::projection::rows::ListPage;

pub(super) async fn run<D: Articled>(database: &D) {
    pages_are_newest_first_and_by_author_and_tag(database).await;
    an_article_is_found_by_its_slug(database).await;
    authors_and_days_are_counted(database).await;
}

pub(super) async fn titles<T: Asked>(tables: &T, page: ListPage) -> Vec<String> {
    let rows = tables.list(&page).await.expect("the tables").data;
    assert!(rows.iter().all(|row| row.content.is_empty()));
    rows.into_iter().map(|row| row.title).collect()
}

async fn pages_are_newest_first_and_by_author_and_tag<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    story.create("ann", "1", "C", &["x"]);
    let two = story.create("bob", "2", "C", &["x", "y"]);
    let three = story.create("ann", "3", "C", &["y"]);
    let four = story.create("ann", "4", "C", &["x"]);
    story.push(three, &updated("3b", "C", Some(&["x"])));
    story.push(four, &deleted());
    story.tell(&tables, 3).await;
    let all = ListPage { limit: 10, ..ListPage::default() };
    assert_eq!(titles(&tables, all.clone()).await, ["3b", "2", "1"]);
    assert_eq!(titles(&tables, ListPage { limit: 2, ..all.clone() }).await, ["3b", "2"]);
    let before =
        Some(tables.get(two).await.expect("the tables").data.expect("there").created_position);
    assert_eq!(titles(&tables, ListPage { before, ..all.clone() }).await, ["1"]);
    let anns = ListPage { author: Some(user("ann")), ..all.clone() };
    assert_eq!(titles(&tables, anns.clone()).await, ["3b", "1"]);
    let tagged = |tag: &str| Some(tag.to_owned());
    assert_eq!(
        titles(&tables, ListPage { tag: tagged("x"), ..all.clone() }).await,
        ["3b", "2", "1"]
    );
    assert_eq!(titles(&tables, ListPage { tag: tagged("y"), ..all }).await, ["2"]);
    assert_eq!(titles(&tables, ListPage { tag: tagged("x"), ..anns }).await, ["3b", "1"]);
    let gone = tables.get(four).await.expect("the tables").data.expect("a row");
    assert!(gone.deleted && gone.content.is_empty());
    tables.close().await;
}

async fn an_article_is_found_by_its_slug<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    for (title, slug) in [("1", None), ("2", Some("two")), ("3", Some("three"))] {
        let id = Uuid::now_v7();
        story.push(id, &slugged(title, slug));
        if title == "3" {
            story.push(id, &deleted());
        }
    }
    story.push(Uuid::now_v7(), &slugged("4", Some("three")));
    story.tell(&tables, 3).await;
    let by =
        |slug: &str| ListPage { slug: Some(slug.to_owned()), limit: 10, ..ListPage::default() };
    assert_eq!(titles(&tables, by("two")).await, ["2"]);
    assert_eq!(titles(&tables, by("three")).await, ["4"], "of the live ones");
    assert_eq!(titles(&tables, ListPage { author: Some(user("ann")), ..by("two") }).await, ["2"]);
    for nothing in [
        by("Two"),
        by("tw"),
        by(""),
        ListPage { author: Some(user("bob")), ..by("two") },
        ListPage { tag: Some("x".to_owned()), ..by("two") },
        ListPage { before: Some(1), ..by("two") },
    ] {
        assert_eq!(titles(&tables, nothing).await, Vec::<String>::new());
    }
    tables.close().await;
}

async fn authors_and_days_are_counted<D: Articled>(database: &D) {
    let tables = super::tables(database).await;
    let mut story = Story::default();
    let one = story.create("bob", "1", "C", &[]);
    story.create("ann", "2", "C", &[]);
    story.create("ann", "3", "C", &[]);
    story.push(one, &updated("1b", "C", None));
    story.push(one, &deleted());
    story.tell(&tables, 2).await;
    let author = async |id| tables.author(&user(id)).await.expect("the tables").data;
    let bob = author("bob").await.expect("there");
    assert_eq!((bob.articles, bob.created), (0, 1));
    assert_eq!(bob.last_activity, "2024-02-29T09:59:59.123456789Z");
    assert_eq!(author("eve").await, None);
    let authors = tables.authors("", 10).await.expect("the tables").data;
    let counts: Vec<_> = authors.iter().map(|row| (row.author_id.as_str(), row.articles)).collect();
    assert_eq!(counts, [("ann", 2), ("bob", 0)]);
    let behind = tables.authors("ann", 1).await.expect("the tables").data;
    assert_eq!(behind[0].author_id, "bob");
    let days = tables.activity("2024-02-01", "2024-02-29").await.expect("the tables").data;
    let days: Vec<_> =
        days.iter().map(|day| (day.day.as_str(), day.created, day.updated, day.deleted)).collect();
    assert_eq!(days, [("2024-02-29", 3, 1, 1)]);
    assert!(tables.activity("2024-03-01", "2024-03-02").await.expect("the tables").data.is_empty());
    tables.close().await;
}
