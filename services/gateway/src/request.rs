//! What endpoints read of a request.

mod actor;
mod article_id;
mod command;
mod conditional;
mod headers;
mod json;
mod parameters;
mod query;

pub(crate) use article_id::ArticleId;
pub(crate) use command::CommandRequest;
pub(crate) use conditional::IfNoneMatch;
pub(crate) use json::Json;
pub(crate) use parameters::Parameters;
pub(crate) use query::{POSITION, QueryRequest};
