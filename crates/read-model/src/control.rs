//! What administrators ask about a read model: `newswire projection`. Each has a subject of its own, with the name of its consumer.
//!
//! Any replica answers. What is asked for is written into the catalog; the replica that writes the read model finds it
//! there and does it, also after a restart.

use messaging::{Connection, Feed, control};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use crate::catalog::State;
use crate::{
    catalog::{Database, Generation},
    live::Live,
    model::{DatabaseError, ReadModel},
    tables::Tables,
};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase", deny_unknown_fields)]
pub enum Question {
    /// How things are.
    Status {},
    /// Fill a new generation beside the live one, which it then replaces.
    Rebuild {
        /// Which projection.
        name: String,
        /// Whether it waits for a promotion once it has caught up.
        hold: bool,
        /// Whether it is compared with the live one, row for row, before it replaces it.
        verify: bool,
    },
    /// Let the generation that is held go live.
    Promote {},
    /// Bring the previous generation up to date, and let it go live.
    Rollback {},
    /// Give the generation up that is being built.
    Cancel {},
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "lowercase")]
pub enum Reply {
    /// How things are, now that what was asked for is under way.
    Status(Status),
    /// Not possible; says why.
    Refused {
        /// Why.
        reason: String,
    },
    /// The database or NATS failed; says how.
    Failed {
        /// How.
        reason: String,
    },
}

/// How things are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The projection.
    pub name: String,
    /// The version of the code that runs.
    pub version: i64,
    /// The last position of the stream. Not each of its messages is an event.
    pub last_position: u64,
    /// The generations, oldest first.
    pub generations: Vec<GenerationStatus>,
}

/// How a generation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationStatus {
    /// Its number.
    pub number: i32,
    /// The version of the code that fills it.
    pub version: i64,
    /// What it is for.
    pub state: State,
    /// Whether it waits for a promotion.
    pub held: bool,
    /// Why it failed, or is held.
    pub reason: Option<String>,
    /// The position of the last event in it; absent when it has no tables.
    pub position: Option<u64>,
    /// How many events could not be applied.
    pub skipped: Option<i64>,
    /// When its state changed, RFC 3339.
    pub changed_at: String,
}

/// Answers until `stop`.
pub(crate) async fn serve<D: Database>(
    connection: &Connection,
    live: &Live<D>,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let desk = Desk {
        live: live.clone(),
        feed: Feed::new(connection.clone(), <D::Model>::NAMES.consumer),
    };
    let desk = &desk;
    let answer = move |question| async move {
        tracing::info!(?question, "an administrator asks");
        match desk.answer(question).await {
            Ok(Ok(status)) => Reply::Status(status),
            Ok(Err(reason)) => Reply::Refused { reason },
            Err(error) => Reply::Failed { reason: format!("{error:#}") },
        }
    };
    let served = control::serve(connection, <D::Model>::NAMES.consumer, stop, answer).await;
    served.map_err(|error| anyhow::anyhow!("answering administrators failed: {error}"))
}

struct Desk<D: Database> {
    live: Live<D>,
    feed: Feed,
}

impl<D: Database> Desk<D> {
    async fn answer(&self, question: Question) -> anyhow::Result<Result<Status, String>> {
        let done = match question {
            Question::Status {} => Ok(()),
            Question::Rebuild { name, .. } if name != <D::Model>::NAME => {
                Err(format!("there is no projection {name}; there is {}", <D::Model>::NAME))
            }
            Question::Rebuild { hold, verify, .. } => {
                begin(self.live.database(), hold, verify).await?
            }
            Question::Promote {} => self.promote().await?,
            Question::Rollback {} => self.rollback().await?,
            Question::Cancel {} => self.cancel().await?,
        };
        match done {
            Ok(()) => Ok(Ok(self.status().await?)),
            Err(reason) => Ok(Err(reason)),
        }
    }

    async fn promote(&self) -> Result<Result<(), String>, DatabaseError> {
        match self.find(State::Building).await? {
            Some(building) => {
                let reason = building.reason.as_deref();
                self.live.database().hold(building.number, false, reason).await?;
                Ok(Ok(()))
            }
            None => Ok(Err("no generation is being built".to_owned())),
        }
    }

    async fn rollback(&self) -> Result<Result<(), String>, DatabaseError> {
        let Some(previous) = self.find(State::Previous).await? else {
            return Ok(Err("there is no previous generation".to_owned()));
        };
        if previous.version != <D::Model>::VERSION {
            let version = previous.version;
            return Ok(Err(format!(
                "the previous generation is of version {version}: roll back to the release with that version first"
            )));
        }
        let database = self.live.database();
        let (from, to) = (State::Previous, State::Building);
        let changed = database.change(previous.number, from, to, None).await?;
        Ok(changed
            .then_some(())
            .ok_or_else(|| "a generation is being built, or there is no previous one".to_owned()))
    }

    async fn cancel(&self) -> Result<Result<(), String>, DatabaseError> {
        let Some(building) = self.find(State::Building).await? else {
            return Ok(Err("no generation is being built".to_owned()));
        };
        let database = self.live.database();
        let (from, to) = (State::Building, State::Failed);
        let changed = database.change(building.number, from, to, Some("cancelled")).await?;
        Ok(changed.then_some(()).ok_or_else(|| "no generation is being built".to_owned()))
    }

    /// The generation in `state`; of those that were live, the last one.
    async fn find(&self, state: State) -> Result<Option<Generation>, DatabaseError> {
        let generations = self.live.database().generations().await?;
        let found = generations.into_iter().filter(|generation| generation.state == state);
        Ok(found.max_by_key(|generation| generation.last_live))
    }

    async fn status(&self) -> anyhow::Result<Status> {
        let mut generations = Vec::new();
        for generation in self.live.database().generations().await? {
            generations.push(self.describe(generation).await);
        }
        Ok(Status {
            name: <D::Model>::NAME.to_owned(),
            version: <D::Model>::VERSION,
            last_position: self.feed.last_position().await?,
            generations,
        })
    }

    async fn describe(&self, generation: Generation) -> GenerationStatus {
        let current = self.live.current();
        let is_live = current.number == generation.number;
        let tables = if is_live {
            current.tables.clone()
        } else {
            self.live.database().peek(generation.number)
        };
        let seen = async { anyhow::Ok((tables.position().await?, tables.count_skipped().await?)) };
        // One that was removed meanwhile, or is not made yet, has none.
        let seen = seen.await.ok();
        if !is_live {
            tables.close().await;
        }
        let (position, skipped) =
            (seen.map(|(position, _)| position), seen.map(|(_, skipped)| skipped));
        GenerationStatus {
            number: generation.number,
            version: generation.version,
            state: generation.state,
            held: generation.held,
            reason: generation.reason,
            position,
            skipped,
            changed_at: generation.changed_at,
        }
    }
}

/// Begins a new generation.
pub(crate) async fn begin<D: Database>(
    database: &D,
    hold: bool,
    verify: bool,
) -> Result<Result<(), String>, DatabaseError> {
    let Some(number) = database.add(<D::Model>::VERSION, hold, verify).await? else {
        return Ok(Err("a generation is being built already".to_owned()));
    };
    tracing::info!(number, "a rebuild begins");
    Ok(Ok(()))
}
