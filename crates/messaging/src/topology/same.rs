//! Whether a stream is as it should be already.

use async_nats::jetstream::stream::{Compression, Config};

/// What the server itself writes into a stream's metadata begins so.
const SERVERS: &str = "_nats.";
/// How the server says that there is no bound; here that is 0.
const UNBOUNDED: i64 = -1;

/// Whether an update of a stream from `found` to `wanted` would change nothing.
pub(super) fn is_same(found: &Config, wanted: &Config) -> bool {
    without_defaults(found) == without_defaults(wanted)
}

/// `config` without what the server fills in.
fn without_defaults(config: &Config) -> Config {
    let mut config = config.clone();
    config.metadata.retain(|key, _| !key.starts_with(SERVERS));
    for bound in
        [&mut config.max_bytes, &mut config.max_messages, &mut config.max_messages_per_subject]
    {
        if *bound == UNBOUNDED {
            *bound = 0;
        }
    }
    for bound in [&mut config.max_consumers, &mut config.max_message_size] {
        if i64::from(*bound) == UNBOUNDED {
            *bound = 0;
        }
    }
    if config.compression == Some(Compression::None) {
        config.compression = None;
    }
    config
}
