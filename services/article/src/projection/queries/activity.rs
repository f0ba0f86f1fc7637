use contracts::article::{Activity, Day, GetActivity, MAX_DAYS};
use eventsourcing::Refusal;
use read_model::{Fault, TableQuery, page};
use time::{Date, Duration, OffsetDateTime, format_description::well_known::Iso8601};

use super::row;
use crate::projection::{Articles, rows::DayRow};

/// How many days there are when nobody says.
const DEFAULT_DAYS: i64 = 30;

impl TableQuery<Articles> for GetActivity {
    type Question = (String, String);
    type Rows = Vec<DayRow>;

    fn question(&self) -> Result<(String, String), Refusal> {
        let last = match &self.to {
            None => OffsetDateTime::now_utc().date(),
            Some(day) => date("to", day)?,
        };
        let first = match &self.from {
            None => last.saturating_sub(Duration::days(DEFAULT_DAYS - 1)),
            Some(day) => date("from", day)?,
        };
        if first > last || (last - first).whole_days() >= MAX_DAYS {
            let detail = format!("must be up to {MAX_DAYS} days before to");
            return Err(page::invalid("from", detail));
        }
        Ok((first.to_string(), last.to_string()))
    }

    fn answer(_: (String, String), rows: Self::Rows) -> Result<Activity, Fault> {
        let day = |row: DayRow| {
            Ok(Day {
                day: row.day,
                created: row::number(row.created)?,
                updated: row::number(row.updated)?,
                deleted: row::number(row.deleted)?,
            })
        };
        Ok(Activity { items: rows.into_iter().map(day).collect::<Result<_, Fault>>()? })
    }
}

/// Only the form in which days are stored, which is in the order of time.
fn date(field: &'static str, text: &str) -> Result<Date, Refusal> {
    let date = Date::parse(text, &Iso8601::DATE).ok().filter(|date| date.to_string() == text);
    date.ok_or_else(|| page::invalid(field, "must be a day such as 2026-01-31".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(from: &str, to: &str) -> Result<(String, String), Refusal> {
        GetActivity { from: Some(from.to_owned()), to: Some(to.to_owned()) }.question()
    }

    #[test]
    fn days_are_days_and_not_too_many() {
        assert!(question("2026-01-01", "2026-01-01").is_ok());
        assert!(question("2024-01-01", "2024-12-31").is_ok(), "a leap year");
        for (field, from, to) in [
            ("from", "2026-01-02", "2026-01-01"),
            ("from", "2025-01-01", "2026-01-02"),
            ("from", "2026-1-1", "2026-01-02"),
            ("from", "-0001-01-01", "9999-12-31"),
            ("from", "20260101", "2026-01-02"),
            ("to", "2026-01-01", "2026-02-30"),
            ("to", "2026-01-01", ""),
        ] {
            let refusal = question(from, to).expect_err(from);
            assert_eq!(refusal.errors[0].field, field, "{from} {to}");
        }
        assert!(GetActivity::default().question().is_ok());
    }
}
