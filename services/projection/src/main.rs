//! The projection service as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::start(projection::NAME, projection::run)
}
