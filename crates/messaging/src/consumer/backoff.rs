use std::time::Duration;

use rand::Rng as _;

/// Growing pauses with jitter, so that many who failed together do not come back together.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The longest first pause.
    pub base: Duration,
    /// The longest pause of all.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Backoff {
    /// From a tenth of a second to half a minute.
    pub const DEFAULT: Self =
        Self { base: Duration::from_millis(100), max: Duration::from_secs(30) };

    /// The pause after the failed attempt number `attempt` (1, 2, 3 …): between a half and the whole of
    /// `base` doubled with every attempt, up to `max`.
    #[must_use]
    pub fn pause(&self, attempt: u32) -> Duration {
        let doubled = self.base.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        let whole = doubled.min(self.max);
        whole.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let backoff = Backoff { base: Duration::from_millis(100), max: Duration::from_secs(1) };
        for (attempt, whole) in [(1, 100), (2, 200), (3, 400), (5, 1000), (u32::MAX, 1000)] {
            let pause = backoff.pause(attempt);
            let whole = Duration::from_millis(whole);
            assert!(pause >= whole / 2 && pause <= whole, "attempt {attempt}: {pause:?}");
        }
    }
}
