//! Every command that the service takes. Adding one: a file below, and a line in `lib.rs`.

mod create;
mod delete;
mod update;
