//! A command together with the bounds of the installation. A decision reads no settings: they arrive with the command.

use std::{num::NonZeroU32, ops};

use eventsourcing::{AggregateId, Command, CommandId};
use serde::{Deserialize, Serialize};

/// What an installation bounds by settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The longest content, in Unicode scalar values.
    pub(crate) content: NonZeroU32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { content: crate::settings::DEFAULT_CONTENT }
    }
}

/// A command and the bounds under which it is decided. Its JSON, and with it its fingerprint, is that of the command: a repeat
/// is one under other bounds, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bounded<C> {
    command: C,
    #[serde(skip)]
    pub(crate) bounds: Bounds,
}

impl<C> Bounded<C> {
    /// `command` under `bounds`.
    pub(crate) fn new(command: C, bounds: Bounds) -> Self {
        Self { command, bounds }
    }
}

impl<C> ops::Deref for Bounded<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.command
    }
}

impl<C: Command> Command for Bounded<C> {
    const CONTEXT: &'static str = C::CONTEXT;
    const VERB: &'static str = C::VERB;
    const CREATES: bool = C::CREATES;
    type Output = C::Output;

    fn aggregate_id(&self, id: CommandId) -> AggregateId {
        self.command.aggregate_id(id)
    }
}

#[cfg(test)]
mod tests {
    use contracts::article::CreateArticle;
    use eventsourcing::CommandEnvelope;

    use super::*;
    use crate::domain::testing::ann;

    #[test]
    fn bounds_change_neither_the_command_nor_its_fingerprint() {
        let create = CreateArticle { tags: vec!["t".to_owned()], ..CreateArticle::default() };
        let bounds = Bounds { content: NonZeroU32::MIN };
        let bounded = Bounded::new(create.clone(), bounds);
        let (plain, bounded) =
            (CommandEnvelope::new(ann(), create), CommandEnvelope::new(ann(), bounded));
        let fingerprints = (plain.fingerprint(), bounded.fingerprint());
        assert_eq!(fingerprints.0.expect("JSON"), fingerprints.1.expect("JSON"));
        let expected = plain.data.aggregate_id(plain.id);
        assert_eq!(bounded.data.aggregate_id(plain.id), expected);
    }
}
