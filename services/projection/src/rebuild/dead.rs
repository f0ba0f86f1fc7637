//! Whether events are among the dead letters.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use messaging::consumer::{DeadLetterBox, DeadLetterError};

use crate::{NAME, tables::Skipped};

/// The dead letters of the projection, looked up once an aggregate.
pub(super) struct Dead<'a> {
    letters: &'a DeadLetterBox,
    positions: BTreeMap<String, BTreeSet<u64>>,
}

impl<'a> Dead<'a> {
    pub(super) fn new(letters: &'a DeadLetterBox) -> Self {
        Self { letters, positions: BTreeMap::new() }
    }

    /// Whether what was skipped is among them: then the live generation does not have it either.
    pub(super) async fn contains(&mut self, skipped: &Skipped) -> Result<bool, DeadLetterError> {
        let positions = match self.positions.entry(skipped.subject.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                place.insert(self.letters.positions(NAME, &skipped.subject).await?)
            }
        };
        Ok(u64::try_from(skipped.position).is_ok_and(|position| positions.contains(&position)))
    }
}
