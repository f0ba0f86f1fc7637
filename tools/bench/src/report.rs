mod reading;

use std::fmt;

use serde::Serialize;

pub use self::reading::{Lag, Read, Reading, Rebuild};
use crate::load::Measured;

/// One way, at one concurrency, with one durability.
#[derive(Debug, Serialize)]
pub struct Cell {
    /// When the server syncs.
    pub sync: String,
    /// Clients at once.
    pub concurrency: usize,
    /// How the event was stored.
    pub way: String,
    /// Events in a second.
    pub rate: f64,
    /// Milliseconds.
    pub p50: f64,
    /// Milliseconds.
    pub p99: f64,
    /// The rate as a part of the bare client's in the same run.
    pub of_raw: f64,
}

impl Cell {
    /// What was `measured`, beside the bare client's `raw`.
    pub fn new(
        sync: &str,
        concurrency: usize,
        way: &str,
        measured: &Measured,
        raw: &Measured,
    ) -> Self {
        Self {
            sync: sync.to_owned(),
            concurrency,
            way: way.to_owned(),
            rate: measured.rate(),
            p50: measured.percentile(50),
            p99: measured.percentile(99),
            of_raw: measured.rate() / raw.rate(),
        }
    }
}

/// How long an aggregate takes to load.
#[derive(Debug, Serialize)]
pub struct Loading {
    /// Events in the stream.
    pub events: u64,
    /// From where: hot is the cache, cold are its events.
    pub how: String,
    /// Milliseconds.
    pub p50: f64,
    /// Milliseconds.
    pub p99: f64,
}

impl Loading {
    /// What was `measured` in a stream of `events`.
    pub fn new(events: u64, how: &str, measured: &Measured) -> Self {
        let (p50, p99) = (measured.percentile(50), measured.percentile(99));
        Self { events, how: how.to_owned(), p50, p99 }
    }
}

impl fmt::Display for Loading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, how, p50, p99 } = self;
        write!(f, "| {events:>9} | {how:<11} | {p50:>8.2} | {p99:>8.2} |")
    }
}

/// What a reaction made of the events of a hundred aggregates.
#[derive(Debug, Serialize)]
pub struct Lanes {
    /// How many aggregates were poisoned: the reaction failed on them for ever.
    pub poisoned: String,
    /// Events of the others in a second.
    pub rate: f64,
    /// Milliseconds from the append until it was handled, of the others.
    pub p50: f64,
    /// Milliseconds.
    pub p99: f64,
    /// The rate as a part of that without a poisoned one.
    pub rate_of_none: f64,
    /// The same of the 99th percentile.
    pub p99_of_none: f64,
}

impl Lanes {
    /// What was `measured` with so many `poisoned`, beside `none`.
    pub fn new(poisoned: &str, measured: &Measured, none: &Measured) -> Self {
        Self {
            poisoned: poisoned.to_owned(),
            rate: measured.rate(),
            p50: measured.percentile(50),
            p99: measured.percentile(99),
            rate_of_none: measured.rate() / none.rate(),
            p99_of_none: measured.percentile(99) / none.percentile(99),
        }
    }
}

impl fmt::Display for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { poisoned, rate, p50, p99, rate_of_none, p99_of_none } = self;
        write!(
            f,
            "| {poisoned:<10} | {rate:>9.0} | {p50:>8.2} | {p99:>8.2} | {rate_of_none:>10.2} | {p99_of_none:>9.2} |"
        )
    }
}

/// All figures of a run.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// In the order in which they were measured.
    pub cells: Vec<Cell>,
    /// Of aggregates in a long stream.
    pub loading: Vec<Loading>,
    /// Of the read model.
    pub reading: Reading,
    /// Of a reaction, without and with a poisoned aggregate.
    pub lanes: Vec<Lanes>,
}

impl Report {
    /// Adds one, and says so on standard error: a run takes minutes.
    pub fn add(&mut self, cell: Cell) {
        service_kit::output::complain(&cell);
        self.cells.push(cell);
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "| {:<6} | {:>7} | {:<7} | {:>9.0} | {:>8.2} | {:>8.2} | {:>6.2} |",
            self.sync, self.concurrency, self.way, self.rate, self.p50, self.p99, self.of_raw
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| sync   | clients | way     |  events/s |   p50 ms |   p99 ms | of raw |")?;
        writeln!(f, "|--------|--------:|---------|----------:|---------:|---------:|-------:|")?;
        for cell in &self.cells {
            writeln!(f, "{cell}")?;
        }
        writeln!(f, "\n|    events | load        |   p50 ms |   p99 ms |")?;
        writeln!(f, "|----------:|-------------|---------:|---------:|")?;
        for loading in &self.loading {
            writeln!(f, "{loading}")?;
        }
        writeln!(f, "\n| poisoned   |  events/s |   p50 ms |   p99 ms | rate ratio | p99 ratio |")?;
        writeln!(f, "|------------|----------:|---------:|---------:|-----------:|----------:|")?;
        for lanes in &self.lanes {
            writeln!(f, "{lanes}")?;
        }
        write!(f, "{}", self.reading)
    }
}
