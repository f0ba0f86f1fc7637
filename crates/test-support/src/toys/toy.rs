use eventsourcing::{
    Actor, Aggregate, AggregateId, Command, CommandId, Decide, EventContext, Query, Refusal,
    RefusalKind, UserId,
    history::{At, HistoryPage},
};
use serde::{Deserialize, Serialize};

/// The context of toys.
pub const TOY: &str = "toy";

/// A toy was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToyMade {
    /// Its name.
    pub name: String,
    /// Who made it.
    pub owner: UserId,
}

/// A toy got another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToyRenamed {
    /// Its name.
    pub name: String,
}

/// A toy is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToyBroken {}

eventsourcing::events! {
    /// Every fact about a toy.
    pub enum ToyEvent {
        "toy.made" v 1 => Made(ToyMade),
        "toy.renamed" v 1 => Renamed(ToyRenamed),
        "toy.broken" v 1 => Broken(ToyBroken),
    }
}

/// Makes a toy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeToy {
    /// Not empty.
    pub name: String,
}

/// Gives a toy another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenameToy {
    /// The toy.
    pub id: AggregateId,
    /// Its new name.
    pub name: String,
}

/// Breaks a toy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakToy {
    /// The toy.
    pub id: AggregateId,
}

/// Asks what happened to a toy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetToyHistory {
    /// The toy.
    pub id: AggregateId,
    /// Only what came after this version.
    pub after: Option<u64>,
    /// How many events.
    pub limit: Option<u32>,
}

/// Asks for a toy as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetToyAt {
    /// The toy.
    pub id: AggregateId,
    /// When.
    #[serde(flatten)]
    pub at: At,
}

/// A toy, as its sender is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToyView {
    /// The toy.
    pub id: AggregateId,
    /// Its name.
    pub name: String,
    /// Who made it.
    pub owner: UserId,
    /// Its version.
    pub version: u64,
}

/// A toy, from its first event to after its last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toy {
    /// The toy; `None` before its first event.
    pub view: Option<ToyView>,
    /// Whether it is broken.
    pub broken: bool,
}

impl Toy {
    fn whole(&self) -> Result<&ToyView, Refusal> {
        match &self.view {
            None => Err(Refusal::new(RefusalKind::NotFound, "toy-not-found", "no such toy")),
            Some(_) if self.broken => {
                Err(Refusal::new(RefusalKind::Gone, "toy-broken", "the toy is broken"))
            }
            Some(view) => Ok(view),
        }
    }
}

impl Aggregate for Toy {
    const CONTEXT: &'static str = TOY;
    const STATE_SCHEMA: u32 = 1;
    type Event = ToyEvent;

    fn apply(&mut self, event: ToyEvent, context: &EventContext) {
        match event {
            ToyEvent::Made(ToyMade { name, owner }) => {
                let (id, version) = (context.aggregate_id, context.version);
                self.view = Some(ToyView { id, name, owner, version });
            }
            ToyEvent::Renamed(ToyRenamed { name }) => {
                if let Some(view) = &mut self.view {
                    (view.name, view.version) = (name, context.version);
                }
            }
            ToyEvent::Broken(_) => self.broken = true,
        }
    }
}

impl Decide<MakeToy> for Toy {
    type Refusal = Refusal;

    fn decide(&self, command: &MakeToy, actor: &Actor) -> Result<Vec<ToyEvent>, Refusal> {
        if command.name.is_empty() {
            return Err(Refusal::new(RefusalKind::Invalid, "invalid", "a toy has a name"));
        }
        let (name, owner) = (command.name.clone(), actor.user_id.clone());
        Ok(vec![ToyMade { name, owner }.into()])
    }
}

impl Decide<RenameToy> for Toy {
    type Refusal = Refusal;

    fn decide(&self, command: &RenameToy, _: &Actor) -> Result<Vec<ToyEvent>, Refusal> {
        self.whole()?;
        Ok(vec![ToyRenamed { name: command.name.clone() }.into()])
    }
}

impl Decide<BreakToy> for Toy {
    type Refusal = Refusal;

    fn decide(&self, _: &BreakToy, _: &Actor) -> Result<Vec<ToyEvent>, Refusal> {
        self.whole()?;
        Ok(vec![ToyBroken {}.into()])
    }
}

impl Command for MakeToy {
    const CONTEXT: &'static str = TOY;
    const VERB: &'static str = "make";
    const CREATES: bool = true;
    type Output = ToyView;

    fn aggregate_id(&self, id: CommandId) -> AggregateId {
        id.creates(TOY)
    }
}

impl Command for RenameToy {
    const CONTEXT: &'static str = TOY;
    const VERB: &'static str = "rename";
    type Output = ToyView;

    fn aggregate_id(&self, _: CommandId) -> AggregateId {
        self.id
    }
}

impl Command for BreakToy {
    const CONTEXT: &'static str = TOY;
    const VERB: &'static str = "break";
    type Output = ToyView;

    fn aggregate_id(&self, _: CommandId) -> AggregateId {
        self.id
    }
}

impl Query for GetToyHistory {
    const CONTEXT: &'static str = TOY;
    const NAME: &'static str = "history";
    type Answer = HistoryPage;
}

impl Query for GetToyAt {
    const CONTEXT: &'static str = TOY;
    const NAME: &'static str = "at";
    type Answer = ToyView;
}
