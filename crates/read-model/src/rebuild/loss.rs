//! What a switch would lose: asked of the tables, not of the dead letters, which anybody may drop or redrive.

use std::collections::BTreeMap;

use super::{Attempt, MAX_SKIPPED, RebuildError};
use crate::{
    catalog::{Database, Generation},
    model::{DatabaseError, ReadModel},
    tables::{Skipped, Tables},
};

/// How many events that were skipped are looked at at once.
const PAGE: i64 = 1000;

impl<D: Database> Attempt<'_, D> {
    /// Why the generation `wanted` should not take the place of `live`, if there is a reason. Nobody else may write
    /// meanwhile.
    pub(super) async fn objection(
        &self,
        wanted: &Generation,
        live: &D::Tables,
    ) -> Result<Option<String>, DatabaseError> {
        if let Some(Skipped { position, reason, .. }) = self.lost(live).await? {
            return Ok(Some(format!(
                "the live generation has events that could not be applied, the first at position {position}: {reason}"
            )));
        }
        if wanted.verified && !self.equals(live).await? {
            return Ok(Some("its rows differ from those of the live generation".to_owned()));
        }
        Ok(None)
    }

    /// The first event that it lacks and `live` has.
    async fn lost(&self, live: &D::Tables) -> Result<Option<Skipped>, DatabaseError> {
        let ours = self.tables.skipped(0, MAX_SKIPPED).await?;
        let end = live.position().await?;
        for skipped in ours {
            let is_behind = u64::try_from(skipped.position).is_ok_and(|position| position <= end);
            // Positions are whole numbers: the first one behind the one before is itself, if it is there.
            let theirs = live.skipped(skipped.position - 1, 1).await?.pop();
            if is_behind && theirs.is_none_or(|theirs| theirs.position != skipped.position) {
                return Ok(Some(skipped));
            }
        }
        Ok(None)
    }

    async fn equals(&self, live: &D::Tables) -> Result<bool, DatabaseError> {
        let (ours, theirs) = (self.tables.digest().await?, live.digest().await?);
        if ours == theirs {
            let (number, position) = (self.rebuild.number, ours.position);
            tracing::info!(
                number,
                position,
                "the rebuilt generation equals the live one row for row"
            );
        }
        Ok(ours == theirs)
    }

    /// Makes dead letters of what was skipped, as the live generation would have.
    pub(super) async fn give_up(&self) -> Result<(), RebuildError> {
        // Those that are there already, looked up once an aggregate.
        let mut dead = BTreeMap::new();
        let (mut after, consumer) = (0, <D::Model>::NAMES.consumer);
        loop {
            let page = self.tables.skipped(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.position;
            for skipped in page {
                if !dead.contains_key(&skipped.subject) {
                    let positions =
                        self.rebuild.letters.positions(consumer, &skipped.subject).await?;
                    dead.insert(skipped.subject.clone(), positions);
                }
                let position = u64::try_from(skipped.position).unwrap_or_default();
                if dead.get(&skipped.subject).is_some_and(|dead| dead.contains(&position)) {
                    continue;
                }
                for message in self.rebuild.feed.page(position.saturating_sub(1), 1, 1).await? {
                    self.rebuild.dead_letters.give_up(&message, &skipped.reason).await?;
                }
            }
        }
    }
}
