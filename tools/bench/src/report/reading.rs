//! Figures of the read side.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::load::Measured;

/// How fast a generation of the read model is filled.
#[derive(Debug, Serialize)]
pub struct Rebuild {
    /// Where the read model is.
    pub database: String,
    /// By whom, and in which circumstances.
    pub how: String,
    /// How many.
    pub events: u64,
    /// Events in a second.
    pub rate: f64,
    /// The rate as a part of the bare consumer's.
    pub of_bare: f64,
}

impl Rebuild {
    /// `events` in `elapsed`, beside a bare consumer that took `bare`.
    pub fn new(database: &str, how: &str, events: u64, elapsed: Duration, bare: Duration) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 events")]
        let rate = events as f64 / elapsed.as_secs_f64();
        let of_bare = bare.as_secs_f64() / elapsed.as_secs_f64();
        Self { database: database.to_owned(), how: how.to_owned(), events, rate, of_bare }
    }
}

impl fmt::Display for Rebuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database, how, events, rate, of_bare } = self;
        write!(f, "| {database:<8} | {how:<16} | {events:>9} | {rate:>9.0} | {of_bare:>7.2} |")
    }
}

/// How long after its acknowledgement a write is visible.
#[derive(Debug, Serialize)]
pub struct Lag {
    /// Where the read model is.
    pub database: String,
    /// Writes a second.
    pub writes: u64,
    /// Milliseconds.
    pub p50: f64,
    /// Milliseconds.
    pub p99: f64,
}

impl Lag {
    /// What was `measured` at `writes` a second.
    pub fn new(database: &str, writes: u64, measured: &Measured) -> Self {
        let (p50, p99) = (measured.percentile(50), measured.percentile(99));
        Self { database: database.to_owned(), writes, p50, p99 }
    }
}

impl fmt::Display for Lag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database, writes, p50, p99 } = self;
        write!(f, "| {database:<8} | {writes:>9} | {p50:>8.2} | {p99:>8.2} |")
    }
}

/// How fast something is read over HTTP.
#[derive(Debug, Serialize)]
pub struct Read {
    /// Where the read model is.
    pub database: String,
    /// What.
    pub what: String,
    /// Answers in a second.
    pub rate: f64,
    /// Milliseconds.
    pub p50: f64,
    /// Milliseconds.
    pub p99: f64,
    /// The rate as a part of a bare handler's.
    pub of_bare: f64,
}

impl Read {
    /// What was `measured`, beside a `bare` handler.
    pub fn new(database: &str, what: &str, measured: &Measured, bare: &Measured) -> Self {
        Self {
            database: database.to_owned(),
            what: what.to_owned(),
            rate: measured.rate(),
            p50: measured.percentile(50),
            p99: measured.percentile(99),
            of_bare: measured.rate() / bare.rate(),
        }
    }
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { database, what, rate, p50, p99, of_bare } = self;
        write!(
            f,
            "| {database:<8} | {what:<10} | {rate:>9.0} | {p50:>8.2} | {p99:>8.2} | {of_bare:>7.2} |"
        )
    }
}

/// The read side.
#[derive(Debug, Default, Serialize)]
pub struct Reading {
    /// Filling a generation.
    pub rebuilds: Vec<Rebuild>,
    /// From append to visible.
    pub lags: Vec<Lag>,
    /// Over HTTP.
    pub reads: Vec<Read>,
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n| database | fill             |    events |  events/s | of bare |")?;
        writeln!(f, "|----------|------------------|----------:|----------:|--------:|")?;
        for rebuild in &self.rebuilds {
            writeln!(f, "{rebuild}")?;
        }
        writeln!(f, "\n| database |  writes/s | p50 ms to visible | p99 ms |")?;
        writeln!(f, "|----------|----------:|---------:|---------:|")?;
        for lag in &self.lags {
            writeln!(f, "{lag}")?;
        }
        writeln!(f, "\n| database | read       | answers/s |   p50 ms |   p99 ms | of bare |")?;
        writeln!(f, "|----------|------------|----------:|---------:|---------:|--------:|")?;
        for read in &self.reads {
            writeln!(f, "{read}")?;
        }
        Ok(())
    }
}
