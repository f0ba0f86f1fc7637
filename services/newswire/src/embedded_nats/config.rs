use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use service_kit::{auth, settings::SettingsError};

use super::room;
use crate::settings::EmbeddedNatsSettings;

/// Who may do what: the same file as everywhere.
const PERMISSIONS: &str = include_str!("../../../../deploy/nats/permissions.conf");

/// What the variables are called that the file reads a password from.
const VARIABLE: &str = "$NEWSWIRE_NATS_";

/// Where the password of every user stands.
pub(super) const PASSWORD_FILE: &str = "password";

/// Writes the configuration into `dir`; tells its path.
pub(super) fn write(
    dir: &Path,
    address: SocketAddr,
    settings: &EmbeddedNatsSettings,
) -> anyhow::Result<PathBuf> {
    let sync = &settings.sync;
    if !is_sync(sync) {
        let expected = "always, or a time such as 1s or 200ms was expected";
        return Err(SettingsError::wrong("embedded_nats.sync", expected).into());
    }
    let max_store = room::max_store(dir, &settings.max_store)?;
    let dir_text = dir.display();
    let config = format!(
        r#"# Written at every start of `newswire run`.
server_name: newswire
listen: "{address}"
max_payload: 1MB
log_file: "{dir_text}/nats-server.log"
logfile_size_limit: 10MB
logfile_max_num: 3
jetstream {{
  store_dir: "{dir_text}/jetstream"
  sync_interval: "{sync}"
  # In bytes, and said, because the server would take three quarters of what is free at its start.
  max_file_store: {max_store}
}}
include "permissions.conf"
"#
    );
    let path = dir.join("server.conf");
    for (path, text) in [(&path, config.as_str()), (&dir.join("permissions.conf"), PERMISSIONS)] {
        write_changed(path, text)?;
    }
    Ok(path)
}

/// Has `text` in the file `path`, whole or not at all. What is there already is not written: nothing fits on a full disk.
pub(super) fn write_changed(path: &Path, text: &str) -> anyhow::Result<()> {
    if fs::read(path).is_ok_and(|found| found == text.as_bytes()) {
        return Ok(());
    }
    let partial = path.with_extension("partial");
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // What could not be written is of no use.
        let _ = fs::remove_file(&partial);
    }
    written.with_context(|| format!("writing {} failed", path.display()))
}

fn is_sync(text: &str) -> bool {
    let number = text.strip_suffix("ms").or_else(|| text.strip_suffix('s'));
    text == "always" || number.is_some_and(|number| number.parse::<u32>().is_ok_and(|it| it > 0))
}

/// The password of every user of this installation, generated at the first start.
pub(super) fn password(dir: &Path) -> anyhow::Result<String> {
    let path = dir.join(PASSWORD_FILE);
    auth::generate_key(&path)
        .with_context(|| format!("looking for {}, or making it, failed", path.display()))?;
    let password = fs::read_to_string(&path);
    let password = password.with_context(|| format!("reading {} failed", path.display()))?;
    // An empty one would connect as a guest.
    anyhow::ensure!(!password.trim().is_empty(), "{} is empty: remove it", path.display());
    Ok(password.trim().to_owned())
}

/// What `permissions.conf` reads from the environment.
pub(super) fn environment(password: &str) -> impl Iterator<Item = (String, String)> {
    // In quotes: a word of digits would be read as a number.
    let quoted = format!("\"{password}\"");
    variables().into_iter().map(move |variable| (variable, quoted.clone()))
}

/// The variables that the file reads passwords from: each user has one.
fn variables() -> BTreeSet<String> {
    let name = |text: &str| {
        let end = text.find(|c: char| !(c.is_ascii_uppercase() || c == '_')).unwrap_or(text.len());
        format!("{}{}", &VARIABLE[1..], &text[..end])
    };
    PERMISSIONS.split(VARIABLE).skip(1).map(name).collect()
}
