//! Newswire from the outside: its processes, its REST, its socket, its files.
#![allow(clippy::disallowed_macros, reason = "the output of a test is read by people")]

mod app;
mod architecture;
mod chaos;
mod children;
mod cluster;
mod comments;
mod conditional;
mod dead;
mod dead_over_http;
mod dead_refused;
mod deployment;
mod foreign;
mod full_disk;
mod full_disk_start;
mod hostile;
mod importing;
mod kill;
mod later;
mod ledger;
mod lifecycle;
mod metric_names;
mod nats_container;
mod processes;
mod projection_chaos;
mod quiet;
mod readiness;
mod reading;
mod rebuild;
mod requests;
mod sites;
mod socket;
mod starting;
mod upgrade;
mod verify;
mod walk;
