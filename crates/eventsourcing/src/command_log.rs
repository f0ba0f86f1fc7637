use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::CommandId;

/// How many commands an aggregate remembers at least: a repeat of one of them has the first outcome.
const REMEMBERED: usize = 1024;

/// The last commands of an aggregate, oldest first.
///
/// It is as long as the history says, whether that was replayed, cached or taken from a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct CommandLog(VecDeque<CommandId>);

impl CommandLog {
    /// Whether `id` is among them. Repeats tend to follow soon.
    pub fn contains(&self, id: CommandId) -> bool {
        self.0.iter().rev().any(|known| *known == id)
    }

    /// Remembers `id`, the command of the next event.
    pub fn insert(&mut self, id: CommandId) {
        if self.0.back() == Some(&id) {
            return;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_thousand_are_remembered_and_no_more_than_that() {
        let ids: Vec<_> = (0..REMEMBERED + 10).map(|_| CommandId::generate()).collect();
        let mut log = CommandLog::default();
        for id in &ids {
            // A command may have several events.
            log.insert(*id);
            log.insert(*id);
        }
        assert!(ids[10..].iter().all(|id| log.contains(*id)));
        assert!(!log.contains(ids[9]));
        assert_eq!(log.0.len(), REMEMBERED);
    }
}
