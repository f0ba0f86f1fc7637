//! Warnings about what goes on and on: the first, then one now and then with how many there were.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long warnings are held back after one was let through.
const PAUSE: Duration = Duration::from_secs(10);

/// Lets some of many equal warnings through. One for each kind of warning, as a `static` or in whoever warns.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    last: Option<Instant>,
    count: u64,
}

impl Throttle {
    /// One that has let nothing through yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Held { last: None, count: 0 }))
    }

    /// Whether to warn now: the number of warnings held back since the last one, or `None` to hold this one back too.
    pub fn pass(&self) -> Option<u64> {
        self.pass_at(Instant::now())
    }

    fn pass_at(&self, now: Instant) -> Option<u64> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            held.count += 1;
            return None;
        }
        held.last = Some(now);
        Some(std::mem::take(&mut held.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_let_through_and_then_one_a_pause_with_the_count() {
        let (throttle, start) = (Throttle::new(), Instant::now());
        assert_eq!(throttle.pass_at(start), Some(0));
        for second in 1..10 {
            assert_eq!(throttle.pass_at(start + Duration::from_secs(second)), None);
        }
        assert_eq!(throttle.pass_at(start + PAUSE), Some(9));
        assert_eq!(throttle.pass_at(start + PAUSE * 3), Some(0));
    }
}
