//! A slug is unique among live articles.

use contracts::article::{Article, CreateArticle, DeleteArticle, UpdateArticle};
use eventsourcing::{RefusalKind, Reply};

use super::{TestService, by_ann, create, on_each_store, update};

on_each_store! {
    of_racing_creators_with_one_slug_one_wins,
    a_deleted_article_frees_its_slug_and_a_renamed_one_its_old_one,
    a_repeat_with_a_slug_has_the_first_outcome_even_when_the_slug_is_somebody_elses_by_now,
}

fn with_slug(slug: &str) -> CreateArticle {
    CreateArticle { slug: Some(slug.to_owned()), ..create() }
}

fn renamed(article: &Article, slug: &str) -> UpdateArticle {
    UpdateArticle { slug: Some(slug.to_owned()), ..update(article, "T") }
}

#[track_caller]
fn assert_taken(reply: &Reply<Article>) {
    let Reply::Refused(refusal) = reply else { panic!("accepted: {reply:?}") };
    assert_eq!((refusal.kind, refusal.code.as_ref()), (RefusalKind::Conflict, "slug-taken"));
    assert_eq!(refusal.errors[0].field, "slug");
}

async fn of_racing_creators_with_one_slug_one_wins(service: TestService) {
    for round in 0..5 {
        let slug = format!("round-{round}");
        let race = (0..8).map(|_| service.send(by_ann(with_slug(&slug))));
        let replies = futures_util::future::join_all(race).await;
        let winners = replies.iter().filter(|reply| matches!(reply, Reply::Accepted(_))).count();
        assert_eq!(winners, 1, "{replies:?}");
        replies.iter().filter(|reply| matches!(reply, Reply::Refused(_))).for_each(assert_taken);
    }
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn a_deleted_article_frees_its_slug_and_a_renamed_one_its_old_one(service: TestService) {
    let one = service.accept(by_ann(with_slug("one"))).await.state;
    assert_eq!(one.slug.as_deref(), Some("one"));
    service.accept(by_ann(renamed(&one, "two"))).await;
    // The same slug again, and none, leave it as it is.
    service.accept(by_ann(renamed(&one, "two"))).await;
    assert_eq!(service.accept(by_ann(update(&one, "T"))).await.state.slug.as_deref(), Some("two"));
    assert_taken(&service.send(by_ann(with_slug("two"))).await);
    let other = service.accept(by_ann(with_slug("one"))).await.state;
    assert_taken(&service.send(by_ann(renamed(&other, "two"))).await);
    service.accept(by_ann(DeleteArticle { id: one.id })).await;
    service.accept(by_ann(renamed(&other, "two"))).await;
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn a_repeat_with_a_slug_has_the_first_outcome_even_when_the_slug_is_somebody_elses_by_now(
    service: TestService,
) {
    let command = by_ann(with_slug("one"));
    let first = service.accept(command.clone()).await;
    assert!(service.accept(command.clone()).await.repeated);
    service.accept(by_ann(DeleteArticle { id: first.aggregate_id })).await;
    service.accept(by_ann(with_slug("one"))).await;
    let again = service.accept(command).await;
    assert_eq!((again.repeated, again.state), (true, first.state));
    service.lifecycle.finish().await.expect("an orderly end");
}
