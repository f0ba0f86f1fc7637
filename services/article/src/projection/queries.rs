//! What is asked about articles, one query a file.

mod activity;
mod author;
mod authors;
mod get;
mod list;
mod row;
mod search;
mod snippet;

pub(super) use authors::Behind;
