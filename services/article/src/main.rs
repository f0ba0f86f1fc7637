//! The article service as a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    service_kit::start(article::NAME, article::run)
}
