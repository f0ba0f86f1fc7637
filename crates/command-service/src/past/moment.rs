//! An aggregate as it was.

use eventsourcing::{EventStore, RecordedEvent, Refusal, RefusalKind, history::At};
use time::{Duration, OffsetDateTime};

use super::{Fault, Past, Replay};

/// How long ago somebody may have asked about their now: clocks are apart, and a request takes its time.
const LEEWAY: Duration = Duration::seconds(5);

impl<A: Past, S: EventStore> Replay<'_, A, S> {
    /// Goes on to the moment `at`, and gives the aggregate as it was then: before its first event when that was later.
    ///
    /// # Errors
    /// There is no such version, or the events cannot be read.
    pub async fn at(&mut self, at: At) -> Result<&A, Fault> {
        let now = OffsetDateTime::now_utc();
        let is_past = |event: &RecordedEvent| match at {
            At::Version(version) => event.event.version <= version,
            At::AsOf(time) => had_happened(event.event.time, time, now),
        };
        // What came before the last event had happened, too. Events that were stored before the times of an aggregate were kept
        // in order may say otherwise.
        let all = is_past(self.last());
        while let Some(event) = self.next().await? {
            if !all && !is_past(&event) {
                break;
            }
            self.apply(&event)?;
        }
        match at {
            At::Version(wanted) if wanted != self.version() => {
                let detail = format!("there is no version {wanted} of this {}", A::CONTEXT);
                Err(Refusal::new(RefusalKind::NotFound, "version-not-found", detail).into())
            }
            _ => Ok(self.state()),
        }
    }
}

/// Whether an event with the time `time` had happened as of the time that was `asked` for; `now` is this process's.
///
/// A time that was asked for means its whole millisecond: most clients cut times to milliseconds. An event whose time is
/// yet to come was stored when some clock was ahead. When it happened is not known, but by now it has.
fn had_happened(time: OffsetDateTime, asked: OffsetDateTime, now: OffsetDateTime) -> bool {
    let millisecond = time.replace_millisecond(time.millisecond()).unwrap_or(time);
    millisecond <= asked || (time > now && now - asked <= LEEWAY)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_that_is_asked_for_means_its_millisecond() {
        let now = datetime!(2026-11-26 12:00 UTC);
        let event = datetime!(2026-11-20 10:00:00.123456789 UTC);
        for (asked, expected) in [
            (datetime!(2026-11-20 10:00:00.122999999 UTC), false),
            (datetime!(2026-11-20 10:00:00.123 UTC), true),
            (datetime!(2026-11-20 10:00:00.123456 UTC), true),
            (datetime!(2026-11-20 12:00:00.123 +2), true),
            (datetime!(9999-12-31 23:59:59 UTC), true),
        ] {
            assert_eq!(had_happened(event, asked, now), expected, "{asked}");
        }
    }

    #[test]
    fn an_event_of_a_clock_that_was_ahead_has_happened_by_now() {
        let now = datetime!(2026-11-26 12:00 UTC);
        let (ahead, past) = (now + Duration::hours(2), now - Duration::hours(1));
        assert!(had_happened(ahead, now - Duration::seconds(1), now));
        assert!(had_happened(ahead, now + Duration::seconds(1), now));
        assert!(!had_happened(ahead, now - Duration::minutes(1), now), "nobody knows");
        assert!(!had_happened(now, now - Duration::seconds(1), now), "it was not there yet");
        assert!(!had_happened(now, past, now));
    }
}
