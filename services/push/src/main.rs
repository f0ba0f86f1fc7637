//! The push service as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::start(push::NAME, push::run)
}
