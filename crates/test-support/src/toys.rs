//! Two small contexts that no product has. The engines are tested with them, so that no engine needs an article.

mod conf;
mod gadget;
mod toy;

pub(crate) use conf::with_toys;
pub use gadget::{GADGET, Gadget, GadgetEvent, GadgetMade, MakeGadget};
pub use toy::{
    BreakToy, GetToyAt, GetToyHistory, MakeToy, RenameToy, TOY, Toy, ToyBroken, ToyEvent, ToyMade,
    ToyRenamed, ToyView,
};
