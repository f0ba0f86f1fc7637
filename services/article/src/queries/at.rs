use contracts::article::{Article as View, ArticleRefusal, At, GetArticleAt};
use eventsourcing::{AggregateId, RecordedEvent, Refusal, RefusalKind};

use super::{Fault, FromEvents, apply};
use crate::domain::Article;

impl FromEvents for GetArticleAt {
    fn id(&self) -> AggregateId {
        self.id
    }

    /// Times are those of the decisions. Should a clock have gone back, the first event that is too late ends it:
    /// a version is never shown without those before it.
    fn answer(&self, events: &[RecordedEvent]) -> Result<View, Fault> {
        let is_past = |event: &&RecordedEvent| match self.at {
            At::Version(version) => event.event.version <= version,
            At::AsOf(time) => event.event.time <= time,
        };
        let mut article = Article::default();
        let mut version = 0;
        for event in events.iter().take_while(is_past) {
            apply(&mut article, event)?;
            version = event.event.version;
        }
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
