//! The comment service as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::start(comment::NAME, comment::run)
}
