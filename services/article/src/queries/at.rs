use contracts::article::{Article as View, ArticleRefusal, At, GetArticleAt};
use eventsourcing::{AggregateId, EventStore, RecordedEvent, Refusal, RefusalKind};

use super::{Fault, FromEvents, past::Past};

impl FromEvents for GetArticleAt {
    fn id(&self) -> AggregateId {
        self.id
    }

    fn behind(&self) -> u64 {
        match self.at {
            At::Version(version) => version,
            At::AsOf(_) => 0,
        }
    }

    /// Times are those of the decisions. Should a clock have gone back, the first event that is too late ends it:
    /// a version is never shown without those before it.
    async fn answer<S: EventStore>(&self, past: &mut Past<'_, S>) -> Result<View, Fault> {
        let is_past = |event: &RecordedEvent| match self.at {
            At::Version(version) => event.event.version <= version,
            At::AsOf(time) => event.event.time <= time,
        };
        while let Some(event) = past.next().await? {
            if !is_past(&event) {
                break;
            }
            past.apply(&event)?;
        }
        let (article, version) = (past.article(), past.version());
        match self.at {
            At::Version(wanted) if wanted != version => {
                let detail = format!("there is no version {wanted} of this article");
                Err(Refusal::new(RefusalKind::NotFound, "version-not-found", detail).into())
            }
            _ if article.is_deleted() => Err(Refusal::from(ArticleRefusal::Deleted).into()),
            _ => Ok(article
                .view()
                .cloned()
                .ok_or_else(|| Refusal::from(ArticleRefusal::NotFound))?),
        }
    }
}
