//! `/api/authors`: one endpoint a file.

pub(crate) mod get;
pub(crate) mod list;
