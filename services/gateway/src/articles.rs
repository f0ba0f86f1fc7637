//! `/api/articles`: one endpoint a file.

pub(crate) mod body;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod update;
