use std::time::{Duration, Instant};

/// How long a test waits for what must happen: long, because machines are slow, and paid only on failure.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often the condition is looked at.
const POLL: Duration = Duration::from_millis(10);

/// Waits until `condition` gives a value, and returns it.
///
/// # Panics
/// It has not within [`PATIENCE`]; `what` says what was waited for.
pub async fn eventually<T, Fut>(what: &str, mut condition: impl FnMut() -> Fut) -> T
where
    Fut: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for: {what}");
        tokio::time::sleep(POLL).await;
    }
}
