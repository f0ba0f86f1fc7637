//! Warnings about a fault that lasts: the first, then one now and then with how many there were, and the end.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How long warnings are held back after one was let through.
const PAUSE: Duration = Duration::from_secs(30);

/// Lets some of many equal warnings through. One for each kind of fault, as a `static` or in whoever warns.
///
/// A fault that comes and goes is told no more often than one that stays: a warning and an end each pause.
#[derive(Debug, Default)]
pub struct Throttle {
    /// Whether a warning was let through whose end is yet to be told. Apart from the rest, since every success asks.
    told: AtomicBool,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    last: Option<Instant>,
    count: u64,
}

impl Throttle {
    /// One that has let nothing through yet.
    #[must_use]
    pub const fn new() -> Self {
        let held = Mutex::new(Held { last: None, count: 0 });
        Self { told: AtomicBool::new(false), held }
    }

    /// Whether to warn now: the number of warnings held back since the last one, or `None` to hold this one back too.
    pub fn pass(&self) -> Option<u64> {
        self.pass_at(Instant::now())
    }

    /// Whether to say now that the fault has ended: the number of warnings held back since the last one, or `None` when
    /// nobody was warned.
    pub fn over(&self) -> Option<u64> {
        let was_told =
            self.told.load(Ordering::Relaxed) && self.told.swap(false, Ordering::Relaxed);
        was_told.then(|| std::mem::take(&mut self.lock().count))
    }

    fn pass_at(&self, now: Instant) -> Option<u64> {
        let mut held = self.lock();
        if held.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            held.count += 1;
            return None;
        }
        held.last = Some(now);
        self.told.store(true, Ordering::Relaxed);
        Some(std::mem::take(&mut held.count))
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_is_let_through_and_then_one_a_pause_with_the_count() {
        let (throttle, start) = (Throttle::new(), Instant::now());
        assert_eq!(throttle.pass_at(start), Some(0));
        for second in 1..30 {
            assert_eq!(throttle.pass_at(after(start, second)), None);
        }
        assert_eq!(throttle.pass_at(after(start, 30)), Some(29));
        assert_eq!(throttle.pass_at(after(start, 90)), Some(0));
    }

    #[test]
    fn the_end_is_told_once_and_only_to_who_was_warned() {
        let (throttle, start) = (Throttle::new(), Instant::now());
        assert_eq!(throttle.over(), None);
        throttle.pass_at(start);
        throttle.pass_at(after(start, 1));
        assert_eq!((throttle.over(), throttle.over()), (Some(1), None));
    }

    #[test]
    fn what_comes_and_goes_is_told_no_more_often_than_what_stays() {
        let (throttle, start) = (Throttle::new(), Instant::now());
        let (mut warnings, mut ends) = (0, 0);
        for second in 0..60 {
            warnings += u32::from(throttle.pass_at(after(start, second)).is_some());
            ends += u32::from(throttle.over().is_some());
        }
        assert_eq!((warnings, ends), (2, 2));
    }
}
