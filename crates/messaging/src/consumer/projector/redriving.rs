//! Trying dead letters again, between two batches.

use std::time::Instant;

use super::{BatchError, Projector, Runner};
use crate::{
    Mark,
    consumer::{
        Redriven,
        redrive::{BUDGET, MAX_AT_ONCE},
    },
};

/// What became of a dead letter.
enum Verdict {
    /// It is applied, and taken out.
    Done,
    /// Somebody has dropped it.
    Gone,
    /// It cannot be applied, and stays.
    Fails(String),
}

impl<P: Projector> Runner<'_, P> {
    /// Tries the dead letters from `subject` again, oldest first, until one fails.
    pub(super) async fn redrive(&self, mark: Mark, subject: &str) -> Redriven {
        let mut redriven = Redriven::default();
        let sequences = match self.letters.oldest(P::NAME, subject, MAX_AT_ONCE).await {
            Ok(sequences) => sequences,
            Err(error) => return Redriven { failure: Some(error.to_string()), ..redriven },
        };
        let begin = Instant::now();
        for sequence in sequences {
            if redriven.done > 0 && begin.elapsed() > BUDGET {
                break;
            }
            match self.redrive_one(mark, sequence).await {
                Ok(Verdict::Done) => redriven.done += 1,
                Ok(Verdict::Gone) => {}
                Ok(Verdict::Fails(reason)) => {
                    return Redriven { failure: Some(reason), ..redriven };
                }
                Err(error) => return Redriven { failure: Some(error.to_string()), ..redriven },
            }
        }
        redriven
    }

    /// Applies the dead letter `sequence` and takes it out, or tells why it cannot be applied.
    ///
    /// Committed first: after a crash in between it is tried again, and the projector finds that it has it.
    async fn redrive_one(
        &self,
        mark: Mark,
        sequence: u64,
    ) -> Result<Verdict, BatchError<P::Error>> {
        let Some(letter) = self.letters.get(sequence).await? else { return Ok(Verdict::Gone) };
        let event = match letter.message.event() {
            Ok(event) => event,
            Err(error) => return Ok(Verdict::Fails(error.to_string())),
        };
        let folded = self.projector.fold(std::slice::from_ref(&event), &[]).await;
        let (changes, mut rejected) = folded.map_err(BatchError::Database)?;
        if let Some(rejected) = rejected.pop() {
            return Ok(Verdict::Fails(rejected.reason));
        }
        let committed = self.projector.commit(changes, mark.position, mark).await;
        if !committed.map_err(BatchError::Database)? {
            return Err(BatchError::Overtaken);
        }
        self.letters.remove(sequence).await?;
        Ok(Verdict::Done)
    }
}
