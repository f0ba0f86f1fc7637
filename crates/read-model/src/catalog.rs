//! The other half of the port: which generations there are, and who may write.

use std::{fmt::Debug, future::Future, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    model::{DatabaseError, ReadModel},
    tables::Tables,
};

/// What a generation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is being filled, or waits for its promotion.
    Building,
    /// It answers queries.
    Live,
    /// It was live before, and can be again.
    Previous,
    /// It will not be live.
    Failed,
}

impl State {
    /// As it is stored.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Live => "live",
            Self::Previous => "previous",
            Self::Failed => "failed",
        }
    }

    /// As it was stored.
    pub(crate) fn read(name: &str) -> Result<Self, DatabaseError> {
        [Self::Building, Self::Live, Self::Previous, Self::Failed]
            .into_iter()
            .find(|state| state.name() == name)
            .ok_or_else(|| DatabaseError::Decode(format!("unknown state {name}").into()))
    }
}

/// A generation of the read model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub number: i32,
    /// The version of the code that fills it.
    pub version: i64,
    /// What it is for.
    pub state: State,
    /// Whether it waits for a promotion by hand.
    pub held: bool,
    /// Whether it is compared with the live one before it takes its place.
    pub verified: bool,
    /// Why it failed, or is held.
    pub reason: Option<String>,
    /// How many switches there had been when it was live last.
    pub last_live: i64,
    /// RFC 3339.
    pub changed_at: String,
}

/// A generation's row, as both databases have it.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct GenerationRow {
    number: i32,
    version: i64,
    state: String,
    held: bool,
    verified: bool,
    reason: Option<String>,
    last_live: i64,
    changed_at: String,
}

impl TryFrom<GenerationRow> for Generation {
    type Error = DatabaseError;

    fn try_from(row: GenerationRow) -> Result<Self, DatabaseError> {
        Ok(Self {
            number: row.number,
            version: row.version,
            state: State::read(&row.state)?,
            held: row.held,
            verified: row.verified,
            reason: row.reason,
            last_live: row.last_live,
            changed_at: row.changed_at,
        })
    }
}

/// A database with generations of the read model. Cheap to clone.
pub trait Database: Clone + Debug + Send + Sync + 'static {
    /// The read model.
    type Model: ReadModel;
    /// One generation's tables.
    type Tables: Tables<Model = Self::Model>;

    /// Brings the catalog up to date; the first generation is live at once, for `version`.
    fn prepare(&self, version: i64) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// All generations, oldest first.
    fn generations(&self) -> impl Future<Output = Result<Vec<Generation>, DatabaseError>> + Send;

    /// Begins a generation for `version`; its number, or `None` when one is being built.
    fn add(
        &self,
        version: i64,
        held: bool,
        verified: bool,
    ) -> impl Future<Output = Result<Option<i32>, DatabaseError>> + Send;

    /// Moves the generation `number` between states; one that was live does not fail, but is the previous one again. `false` when it is not in state `from`, or its new place is taken.
    fn change(
        &self,
        number: i32,
        from: State,
        to: State,
        reason: Option<&str>,
    ) -> impl Future<Output = Result<bool, DatabaseError>> + Send;

    /// Holds the generation that is being built, for `reason`, or lets it go on.
    fn hold(
        &self,
        number: i32,
        held: bool,
        reason: Option<&str>,
    ) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Makes the generation `to`, which is being built, live in place of `from`, in one transaction; `false` when
    /// somebody else was faster, or the lease is not that of `epoch` any more.
    fn switch(
        &self,
        from: i32,
        to: i32,
        epoch: i64,
    ) -> impl Future<Output = Result<bool, DatabaseError>> + Send;

    /// Opens the tables of the generation `number`, and brings them up to date.
    fn open(&self, number: i32)
    -> impl Future<Output = Result<Self::Tables, DatabaseError>> + Send;

    /// The tables of the generation `number` as they are, if they are there: to look at, not to write.
    fn peek(&self, number: i32) -> Self::Tables;

    /// Forgets the generation `number` and its tables. Nobody may use them any more.
    fn remove(&self, number: i32) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Takes or keeps the lease for `duration`: the epoch, or `None` while somebody else has it.
    fn lease(
        &self,
        holder: Uuid,
        duration: Duration,
    ) -> impl Future<Output = Result<Option<i64>, DatabaseError>> + Send;

    /// Gives the lease back, if it is `holder`'s.
    fn release(&self, holder: Uuid) -> impl Future<Output = Result<(), DatabaseError>> + Send;

    /// Lets go of it.
    fn close(&self) -> impl Future<Output = ()> + Send;

    /// Lets go of it and of its `tables` at the end of the process, so that the next start needs no room.
    fn leave(&self, tables: &Self::Tables) -> impl Future<Output = ()> + Send;
}
