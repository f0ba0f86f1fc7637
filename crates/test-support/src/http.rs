use std::time::Duration;

/// How long a test waits for a response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An HTTP client with a timeout.
#[must_use]
pub fn http_client() -> reqwest::Client {
    // The provider of TLS is chosen once a process; another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(TIMEOUT).build().expect("a client")
}
