//! What endpoints read of a request.

mod actor;
mod command;
mod conditional;
mod entity_tag;
mod headers;
mod id;
mod json;
mod parameters;
mod prefer;
mod query;

pub(crate) use actor::{Operator, User};
pub(crate) use command::CommandRequest;
pub(crate) use conditional::{answer_reads, must_hold};
pub(crate) use id::Id;
pub(crate) use json::Json;
pub(crate) use parameters::{NoParameters, Parameters, number};
pub(crate) use prefer::{PREFERENCE_APPLIED, Prefer};
pub(crate) use query::{POSITION, Read, STREAM};
