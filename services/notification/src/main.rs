//! The notification service as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::start(notification::NAME, notification::run)
}
