//! Whether the read model can be written now, as its last attempts went.

use std::fmt::Display;

use tokio::sync::watch;

/// A step on the way to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Being the one who writes.
    Lease,
    /// Looking at the position, which writes a row.
    Look,
    /// Writing a batch: it needs more room than a look, so a look that succeeds says nothing about it.
    Commit,
}

/// What the last attempt at each step ended with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Problems([Option<String>; 3]);

impl Problems {
    /// Why nothing can be committed now, if so.
    pub(crate) fn first(&self) -> Option<String> {
        self.0.iter().flatten().next().cloned()
    }
}

/// What became of the attempts to write.
#[derive(Debug, Default)]
pub(crate) struct Commits(watch::Sender<Problems>);

impl Commits {
    /// Tells of every change.
    pub(crate) fn watch(&self) -> watch::Receiver<Problems> {
        self.0.subscribe()
    }

    /// Notes how an attempt at `step` ended, and passes that on.
    pub(crate) fn note<T, E: Display>(&self, step: Step, result: Result<T, E>) -> Result<T, E> {
        self.set(step, result.as_ref().err().map(ToString::to_string));
        result
    }

    /// Notes that what `result` comes from failed, if it did: that it did not does not make `step` possible.
    pub(crate) fn note_failure<T, E: Display>(
        &self,
        step: Step,
        result: Result<T, E>,
    ) -> Result<T, E> {
        if result.is_err() { self.note(step, result) } else { result }
    }

    /// Somebody else writes now: nobody asks it of this process.
    pub(crate) fn not_ours(&self) {
        self.0.send_if_modified(|problems| {
            let is_news = *problems != Problems::default();
            *problems = Problems::default();
            is_news
        });
    }

    fn set(&self, step: Step, problem: Option<String>) {
        self.0.send_if_modified(|problems| {
            let known = &mut problems.0[step as usize];
            let is_news = *known != problem;
            *known = problem;
            is_news
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_possible_again_when_it_succeeds_itself() {
        let (commits, failed) = (Commits::default(), Err::<(), _>("full"));
        let first = || commits.watch().borrow().first();
        let _ = commits.note(Step::Commit, failed);
        let _ = commits.note(Step::Look, Ok::<_, &str>(()));
        let _ = commits.note_failure(Step::Commit, Ok::<_, &str>(()));
        assert_eq!(first().as_deref(), Some("full"), "a look and a fold are no commit");
        let _ = commits.note(Step::Commit, Ok::<_, &str>(()));
        assert_eq!(first(), None);
        let _ = commits.note_failure(Step::Commit, failed);
        commits.not_ours();
        assert_eq!(first(), None);
    }
}
