//! Articles from files, through the REST API.

pub(crate) mod poster;
pub(crate) mod source;
pub(crate) mod summary;
