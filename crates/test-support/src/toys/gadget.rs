use eventsourcing::{
    Actor, Aggregate, AggregateId, Command, CommandId, Decide, EventContext, Refusal,
};
use serde::{Deserialize, Serialize};

/// The context of gadgets.
pub const GADGET: &str = "gadget";

/// A gadget was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GadgetMade {}

eventsourcing::events! {
    /// Every fact about a gadget.
    pub enum GadgetEvent {
        "gadget.made" v 1 => Made(GadgetMade),
    }
}

/// Makes a gadget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakeGadget {}

/// A gadget: how often it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gadget {
    /// Its version.
    pub version: u64,
}

impl Aggregate for Gadget {
    const CONTEXT: &'static str = GADGET;
    const STATE_SCHEMA: u32 = 1;
    type Event = GadgetEvent;

    fn apply(&mut self, _: GadgetEvent, context: &EventContext) {
        self.version = context.version;
    }
}

impl Decide<MakeGadget> for Gadget {
    type Refusal = Refusal;

    fn decide(&self, _: &MakeGadget, _: &Actor) -> Result<Vec<GadgetEvent>, Refusal> {
        Ok(vec![GadgetMade {}.into()])
    }
}

impl Command for MakeGadget {
    const CONTEXT: &'static str = GADGET;
    const VERB: &'static str = "make";
    const CREATES: bool = true;
    type Output = u64;

    fn aggregate_id(&self, id: CommandId) -> AggregateId {
        id.creates(GADGET)
    }
}
