//! `/api/articles/{id}/comments`: one endpoint a file.

pub(crate) mod add;
pub(crate) mod delete;
pub(crate) mod find;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod list;
