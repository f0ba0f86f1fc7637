//! Consumers: what you implement, and the runners that own everything else.
//!
//! There are two kinds.
//!
//! - A [`Projector`] folds events into tables of its own. The runner hands it events in stream order and commits
//!   them in batches, rows and position together, so that redelivery changes nothing.
//! - A [`Reaction`] does something outside: it sends, calls, pays. It keeps its own record of what it did. The
//!   runner keeps events of one aggregate in order, works on different aggregates in parallel, and tries again.
//!
//! Both give up on a message by putting it into the dead letters, where later events of the same aggregate are
//! parked behind it; other aggregates go on.

mod backoff;
mod dead_letter;
mod dead_letter_box;
mod dead_letter_filter;
mod in_turns;
mod incoming;
mod lag;
pub(crate) mod lanes;
mod metrics;
mod projector;
mod reaction;
mod redrive;

pub use backoff::Backoff;
pub use dead_letter::{DeadLetterError, DeadLetters};
pub use dead_letter_box::{DeadLetter, DeadLetterBox};
pub use dead_letter_filter::{Chosen, DeadLetterFilter};
pub use in_turns::run_reaction_in_turns;
pub use incoming::{Batch, Incoming, IncomingError};
pub use lag::measure_lag;
pub use projector::{ConsumerError, Landmark, Projector, Rejected, relate, run_projector};
pub use reaction::{Outcome, Reaction, run_reaction};
pub use redrive::{RedriveError, Redriven, redrive};
