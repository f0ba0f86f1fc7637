//! Every command that the service takes. Adding one: a file below, and a line in `lib.rs`.

mod add;
mod delete;

pub(crate) use add::with_article;
