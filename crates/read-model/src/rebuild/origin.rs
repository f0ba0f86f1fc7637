//! A rebuild and the stream: of which one it is, and how far that goes.

use messaging::{Mark, Relation, consumer::relate};

use super::{Attempt, NEAR, Rebuild, RebuildError};
use crate::{
    catalog::{Database, State},
    tables::Tables,
};

impl<D: Database> Rebuild<D> {
    /// Where `tables` are in the stream that is there; `None` when they are of another one, and so fail.
    pub(super) async fn recognise(
        &self,
        tables: &D::Tables,
        position: u64,
    ) -> Result<Option<Mark>, RebuildError> {
        let watch = self.connection.stream();
        let (noted, landmark) = (tables.mark().await?, tables.landmark().await?);
        let (relation, mark) = relate(watch.stream(), position, noted, landmark).await?;
        let mark = match relation {
            Relation::Same(_) if noted.is_some() => mark,
            Relation::Same(stream) | Relation::Renewed(stream) => {
                let mark = Mark { stream, ..mark };
                // Somebody else has moved it: the next attempt tells who.
                tables
                    .adopt(self.epoch, &mark)
                    .await?
                    .then_some(())
                    .ok_or(RebuildError::Overtaken)?;
                mark
            }
            Relation::Another { reason, .. } => {
                watch.nudge();
                let reason = format!("it belongs to another stream: {reason}");
                tracing::error!(number = self.number, reason, "a generation cannot be built");
                let (from, to) = (State::Building, State::Failed);
                self.live.database().change(self.number, from, to, Some(&reason)).await?;
                return Ok(None);
            }
        };
        Ok(Some(mark))
    }
}

impl<D: Database> Attempt<'_, D> {
    /// Whether little is missing until the switch. When what is live is of another stream, its position says nothing; so
    /// nothing is near before the two are compared.
    pub(super) async fn is_near(&self) -> Result<bool, RebuildError> {
        let live = &self.rebuild.live;
        let number = live.current().number;
        if !live.verdict().borrow().is_about_stream(number, self.mark.stream) {
            return Ok(false);
        }
        if !live.is_foreign() {
            return Ok(live.position() <= self.mark.position.saturating_add(NEAR));
        }
        let feed = &self.rebuild.feed;
        let is_close = feed.last_position().await? <= self.mark.position.saturating_add(NEAR);
        // What is behind it may be no events.
        Ok(is_close || feed.page(self.mark.position, 1, 1).await?.is_empty())
    }
}
