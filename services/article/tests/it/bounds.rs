//! How long a content may be is a setting.

use std::num::NonZeroU32;

use article::ArticleSettings;
use contracts::article::CreateArticle;
use eventsourcing::{Refusal, RefusalKind, Reply};
use test_support::NatsServer;

use crate::{TestService, by_ann, create};

async fn service(max: u32) -> TestService {
    let max_content_chars = NonZeroU32::new(max).expect("not 0");
    let settings = ArticleSettings { max_content_chars, ..ArticleSettings::default() };
    TestService::start(NatsServer::provisioned().await, settings, None).await
}

fn of_length(length: usize, text: &str) -> CreateArticle {
    CreateArticle { content: text.repeat(length), ..create() }
}

fn refusal<T>(reply: Reply<T>) -> Refusal {
    match reply {
        Reply::Refused(refusal) => refusal,
        Reply::Accepted(_) => panic!("accepted"),
    }
}

#[tokio::test]
async fn a_lower_bound_refuses_new_contents_and_recognises_a_repeat_of_an_old_one() {
    let mut service = service(8).await;
    let long = by_ann(of_length(8, "é"));
    let created = service.accept(long.clone()).await;
    service.article.max_content_chars = NonZeroU32::new(7).expect("not 0");
    let service = service.replace(async |_| {}).await;
    let refused = refusal(service.send(by_ann(of_length(8, "é"))).await);
    assert_eq!(refused.kind, RefusalKind::Invalid);
    assert_eq!(refused.errors[0].field, "content");
    assert_eq!(refused.errors[0].detail, "must be 1 to 7 characters long, not 8");
    let again = service.accept(long).await;
    assert!(again.repeated && again.state == created.state);
}

#[tokio::test]
async fn the_longest_content_of_the_highest_bound_fits_into_an_event() {
    let service = service(80_000).await;
    // JSON writes it in six bytes.
    let created = service.accept(by_ann(of_length(80_000, "\u{1}"))).await;
    assert_eq!(created.state.content.len(), 80_000);
}
