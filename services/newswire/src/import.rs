//! Articles from files, through the REST API.

pub(crate) mod draft;
mod file_name;
mod folder;
mod front_matter;
mod json_lines;
mod markdown;
pub(crate) mod outcome;
pub(crate) mod poster;
pub(crate) mod rehearsal;
pub(crate) mod source;
pub(crate) mod summary;
mod terms;
