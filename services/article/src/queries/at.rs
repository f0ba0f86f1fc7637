use contracts::article::{Article as View, ArticleRefusal, At, GetArticleAt};
use eventsourcing::{AggregateId, EventStore, RecordedEvent, Refusal, RefusalKind};
use time::{Duration, OffsetDateTime};

use super::{Fault, FromEvents, past::Past};

/// How long ago somebody may have asked about their now: clocks are apart, and a request takes its time.
const LEEWAY: Duration = Duration::seconds(5);

/// Whether an event with the time `time` had happened as of the time that was `asked` for; `now` is this process's.
///
/// A time that was asked for means its whole millisecond: most clients cut times to milliseconds. An event whose time is
/// yet to come was stored when some clock was ahead. When it happened is not known, but by now it has.
fn had_happened(time: OffsetDateTime, asked: OffsetDateTime, now: OffsetDateTime) -> bool {
    let millisecond = time.replace_millisecond(time.millisecond()).unwrap_or(time);
    millisecond <= asked || (time > now && now - asked <= LEEWAY)
}

impl FromEvents for GetArticleAt {
    fn id(&self) -> AggregateId {
        self.id
    }

    fn behind(&self) -> u64 {
        match self.at {
            At::Version(version) => version,
            At::AsOf(_) => 0,
        }
    }

    async fn answer<S: EventStore>(&self, past: &mut Past<'_, S>) -> Result<View, Fault> {
        let now = OffsetDateTime::now_utc();
        let is_past = |event: &RecordedEvent| match self.at {
            At::Version(version) => event.event.version <= version,
            At::AsOf(time) => had_happened(event.event.time, time, now),
        };
        // What came before the last event had happened, too. Events of an article that were stored before their times were
        // kept in order may say otherwise.
        let all = is_past(past.last());
        while let Some(event) = past.next().await? {
            if !all && !is_past(&event) {
                break;
            }
            past.apply(&event)?;
        }
        let (article, version) = (past.article(), past.version());
        match self.at {
            At::Version(wanted) if wanted != version => {
                let detail = format!("there is no version {wanted} of this article");
                Err(Refusal::new(RefusalKind::NotFound, "version-not-found", detail).into())
            }
            _ if article.is_deleted() => Err(Refusal::from(ArticleRefusal::Deleted).into()),
            _ => Ok(article
                .view()
                .cloned()
                .ok_or_else(|| Refusal::from(ArticleRefusal::NotFound))?),
        }
    }
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
