//! The gateway as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::start(gateway::NAME, gateway::run)
}
