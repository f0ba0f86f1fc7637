use std::time::{Duration, Instant};

/// How long a test waits for what must happen: long, because machines are slow, and paid only on failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The first pause between two looks at the condition. Each pause is longer than the one before: looking costs time that
/// a slow machine needs for the work that is waited for.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Waits until `condition` gives a value, and returns it.
///
/// # Panics
/// It has not within [`PATIENCE`]; `what` says what was waited for.
pub async fn eventually<T, Fut>(what: &str, mut condition: impl FnMut() -> Fut) -> T
where
    Fut: Future<Output = Option<T>>,
{
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for: {what}");
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(LONGEST_PAUSE);
    }
}
