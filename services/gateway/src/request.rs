//! What endpoints read of a request.

mod actor;
mod command;
mod conditional;
mod headers;
mod id;
mod json;
mod parameters;
mod prefer;
mod query;

pub(crate) use actor::{Operator, User};
pub(crate) use command::CommandRequest;
pub(crate) use conditional::IfNoneMatch;
pub(crate) use id::Id;
pub(crate) use json::Json;
pub(crate) use parameters::{Parameters, number};
pub(crate) use prefer::{PREFERENCE_APPLIED, Prefer};
pub(crate) use query::{POSITION, QueryRequest, STREAM};
