//! Several processes of the service, which do not know of each other, on one article.

use eventsourcing::{Accepted, CommandEnvelope, RefusalKind, Reply};
use futures_util::future::join_all;

use super::{TestService, by_ann, on_each_store, update};

/// How many write at once.
const WRITERS: u32 = 64;

on_each_store! {
    of_writers_with_one_version_one_wins_version_after_version,
    without_a_version_all_writers_succeed,
}

async fn of_writers_with_one_version_one_wins_version_after_version(service: TestService) {
    let another = service.another().await;
    let article = service.create().await;
    for version in 1..=10 {
        let race = (0..WRITERS).map(|number| {
            let command = by_ann(update(&article, &format!("{version}.{number}")));
            service.send(CommandEnvelope { expected_version: Some(version), ..command })
        });
        let mut winners = 0;
        for reply in join_all(race).await {
            match reply {
                Reply::Accepted(Accepted { version: new, .. }) => {
                    assert_eq!(new, version + 1);
                    winners += 1;
                }
                Reply::Refused(refusal) => {
                    assert_eq!(refusal.kind, RefusalKind::VersionMismatch);
                    assert_eq!(refusal.current_version, Some(version + 1));
                }
            }
        }
        assert_eq!(winners, 1, "version {version}");
    }
    another.finish().await.expect("an orderly end");
    service.lifecycle.finish().await.expect("an orderly end");
}

async fn without_a_version_all_writers_succeed(service: TestService) {
    let another = service.another().await;
    let article = service.create().await;
    let race =
        (0..WRITERS).map(|number| service.accept(by_ann(update(&article, &number.to_string()))));
    let mut versions: Vec<_> =
        join_all(race).await.into_iter().map(|accepted| accepted.version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (2..=u64::from(WRITERS) + 1).collect::<Vec<_>>());
    another.finish().await.expect("an orderly end");
    service.lifecycle.finish().await.expect("an orderly end");
}
