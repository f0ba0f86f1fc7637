//! The engine on real servers, with toys.

mod service;

use eventsourcing::{
    Actor, AggregateId, EventStore, Refusal, RefusalKind,
    history::{At, HistoryPage},
};
use serde_json::json;
use test_support::toys::{Gadget, GetToyAt, GetToyHistory, Toy, ToyView};

use crate::{Fault, Past, PastQuery, Replay, Show, past::history};

impl Show<ToyView> for Toy {
    fn show(&self) -> Option<ToyView> {
        self.view.clone()
    }
}

impl Show<u64> for Gadget {
    fn show(&self) -> Option<u64> {
        Some(self.version)
    }
}

impl Past for Toy {
    fn unknown() -> Refusal {
        Refusal::new(RefusalKind::NotFound, "toy-not-found", "no such toy")
    }

    fn may_read(&self, actor: Option<&Actor>) -> Result<(), Refusal> {
        let owner = self.view.as_ref().map(|view| &view.owner);
        if self.broken && actor.map(|actor| &actor.user_id) != owner {
            return Err(Refusal::new(RefusalKind::Gone, "toy-broken", "the toy is broken"));
        }
        Ok(())
    }
}

impl PastQuery<Toy> for GetToyHistory {
    fn id(&self) -> AggregateId {
        self.id
    }

    fn behind(&self) -> u64 {
        self.after.unwrap_or_default()
    }

    async fn answer<S: EventStore>(
        &self,
        past: &mut Replay<'_, Toy, S>,
    ) -> Result<HistoryPage, Fault> {
        let fields = |toy: &Toy| vec![("name", json!(toy.view.as_ref().map(|view| &view.name)))];
        history::page(past, self.after, self.limit, fields).await
    }
}

impl PastQuery<Toy> for GetToyAt {
    fn id(&self) -> AggregateId {
        self.id
    }

    fn behind(&self) -> u64 {
        match self.at {
            At::Version(version) => version,
            At::AsOf(_) => 0,
        }
    }

    async fn answer<S: EventStore>(&self, past: &mut Replay<'_, Toy, S>) -> Result<ToyView, Fault> {
        let toy = past.at(self.at).await?;
        Ok(toy.show().ok_or_else(Toy::unknown)?)
    }
}
