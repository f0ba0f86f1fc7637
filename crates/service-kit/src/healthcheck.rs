//! `healthcheck`: asks the process that runs with the same settings whether it is ready. The probe of containers, whose
//! images have no other program.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use serde::Deserialize;

use crate::{
    output,
    settings::{self, AdminSettings},
};

/// How long each step of the question may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 64 * 1024;
const QUESTION: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[derive(Deserialize)]
struct Settings {
    admin: AdminSettings,
}

/// The exit code is 0 when the process is ready, 1 when it is not, with its answer on standard error.
///
/// # Errors
/// The settings cannot be read, or nothing answers at `admin.listen`.
pub fn run(config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let Settings { admin } = settings::load(config)?;
    let address = reachable(admin.listen);
    let answer = ask(address)
        .with_context(|| format!("nothing answers at {address} (setting admin.listen)"))?;
    if is_ok(&answer) {
        return Ok(ExitCode::SUCCESS);
    }
    let body = answer.split_once("\r\n\r\n").map_or(answer.as_str(), |(_, body)| body);
    output::complain(format_args!("{body}"));
    Ok(ExitCode::FAILURE)
}

/// Where a process that listens on `address` is reached from its own machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(QUESTION)?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Whether the answer's status line (RFC 9112, section 4) says 200.
fn is_ok(answer: &str) -> bool {
    answer.split(' ').nth(1) == Some("200")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Health, admin, http::server, http::server::Limits};

    async fn answer_of(health: Health) -> String {
        let listener = server::bind(SocketAddr::from(([0, 0, 0, 0], 0)), "test").expect("bound");
        let address = reachable(listener.local_addr().expect("an address"));
        let limits = Limits {
            header_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
        };
        let places = crate::http::connections::Connections::private(4);
        let stop = tokio_util::sync::CancellationToken::new();
        tokio::spawn(server::serve(listener, admin::probes(health), limits, places, stop));
        let asked = tokio::task::spawn_blocking(move || ask(address)).await;
        asked.expect("no panic").expect("an answer")
    }

    #[tokio::test]
    async fn a_process_that_listens_everywhere_is_asked_on_its_own_machine() {
        let health = Health::default();
        let component = health.component("store");
        let answer = answer_of(health.clone()).await;
        assert!(!is_ok(&answer) && answer.contains("starting"), "{answer}");
        component.ready();
        let answer = answer_of(health).await;
        assert!(is_ok(&answer), "{answer}");
    }
}
