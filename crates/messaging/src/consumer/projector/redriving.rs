//! Trying dead letters again, between two batches.

use super::{BatchError, Projector, Runner};
use crate::consumer::{Redriven, redrive::MAX_AT_ONCE};

impl<P: Projector> Runner<'_, P> {
    /// Tries the dead letters from `subject` again, oldest first, until one fails.
    pub(super) async fn redrive(&self, position: u64, subject: &str) -> Redriven {
        let mut redriven = Redriven::default();
        let sequences = match self.letters.oldest(P::NAME, subject, MAX_AT_ONCE).await {
            Ok(sequences) => sequences,
            Err(error) => return Redriven { failure: Some(error.to_string()), ..redriven },
        };
        for sequence in sequences {
            match self.redrive_one(position, sequence).await {
                Ok(None) => redriven.done += 1,
                Ok(failure) => return Redriven { failure, ..redriven },
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
        position: u64,
        sequence: u64,
    ) -> Result<Option<String>, BatchError<P::Error>> {
        // Somebody may have dropped it.
        let Some(letter) = self.letters.get(sequence).await? else { return Ok(None) };
        let event = match letter.message.event() {
            Ok(event) => event,
            Err(error) => return Ok(Some(error.to_string())),
        };
        let folded = self.projector.fold(std::slice::from_ref(&event), &[]).await;
        let (changes, mut rejected) = folded.map_err(BatchError::Database)?;
        if let Some(rejected) = rejected.pop() {
            return Ok(Some(rejected.reason));
        }
        let committed = self.projector.commit(changes, position, position).await;
        if !committed.map_err(BatchError::Database)? {
            return Err(BatchError::Overtaken);
        }
        self.letters.remove(sequence).await?;
        Ok(None)
    }
}
