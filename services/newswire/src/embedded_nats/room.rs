//! How much room the streams need, may take and have.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use messaging::server::ServerStore;
use metrics::{Gauge, Unit, describe_gauge, gauge};
use service_kit::{health::State, settings::SettingsError};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
/// What streams may grow when those that are there need more than the setting allows.
const MARGIN: u64 = GIB;
/// Whoever has so little left on disk is warned: a twentieth of the disk, but not more than this, nor less.
const LOW_AT_MOST: u64 = GIB;
const LOW_AT_LEAST: u64 = 64 * MIB;
/// What must be free before a nats-server that could not write is started again.
const ENOUGH: usize = 1024 * 1024;

/// The bound for all streams in `dir`, in bytes: the setting, or more when those that are there need more. A server with less
/// would not open them.
pub(super) fn max_store(dir: &Path, setting: &str) -> Result<u64, SettingsError> {
    let wanted = bytes(setting).ok_or_else(|| {
        let expected = "a size such as 500MB or 4GB was expected";
        SettingsError::wrong("embedded_nats.max_store", expected)
    })?;
    let needed = needed(&dir.join("jetstream"));
    if needed <= wanted {
        return Ok(wanted);
    }
    // In whole steps: a bound that differed at each start would be written each time, also on a full disk.
    let allowed = needed.next_multiple_of(MARGIN) + MARGIN;
    tracing::warn!(
        needed,
        allowed,
        "embedded_nats.max_store is {setting}, and the streams that are there need more: more is allowed"
    );
    Ok(allowed)
}

/// `4GB` in bytes.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "KB" => 1024,
        "MB" => MIB,
        "GB" => GIB,
        _ => return None,
    };
    number.parse::<u64>().ok().filter(|number| *number > 0)?.checked_mul(unit)
}

/// What the streams in `store` have set aside, or take where nothing is set aside.
fn needed(store: &Path) -> u64 {
    let accounts = folders(&store.join("jetstream"));
    let streams = accounts.iter().flat_map(|account| folders(&account.join("streams")));
    streams.map(|stream| reserved(&stream).max(size(&stream.join("msgs")))).sum()
}

fn reserved(stream: &Path) -> u64 {
    let read = fs::read(stream.join("meta.inf")).unwrap_or_default();
    let config: serde_json::Value = serde_json::from_slice(&read).unwrap_or_default();
    config["max_bytes"].as_u64().unwrap_or_default()
}

fn folders(path: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

/// Whether something can be written in `dir`. Only a write proves it.
pub(super) fn try_to_write(dir: &Path) -> io::Result<()> {
    let path = dir.join("room");
    let write = || {
        let mut file = File::create(&path)?;
        file.write_all(&vec![0; ENOUGH])?;
        file.sync_all()
    };
    let written = write();
    // What could not be written is gone with it.
    let _ = fs::remove_file(&path);
    written
}

/// Measures the room in `dir` and in the streams; a warning when one of them is low.
pub(super) fn state(dir: &Path, store: ServerStore) -> State {
    let mut low = Vec::new();
    if let Ok(disk) = rustix::fs::statvfs(dir) {
        let (free, all) = (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize);
        let is_low = free < (all / 20).clamp(LOW_AT_LEAST, LOW_AT_MOST);
        note(&gauge!("data_disk_free_bytes"), free);
        note_low("disk", is_low);
        if is_low {
            low.push(format!("{} MiB are free on the disk of {}", free / MIB, dir.display()));
        }
    }
    let is_low = store.used > store.max() / 5 * 4;
    note(&gauge!("nats_store_used_bytes"), store.used);
    note(&gauge!("nats_store_max_bytes"), store.max());
    note_low("nats_store", is_low);
    if is_low {
        let (used, max) = (store.used / MIB, store.max() / MIB);
        low.push(format!("streams take {used} MiB of {max} (setting embedded_nats.max_store)"));
    }
    if low.is_empty() { State::Ready } else { State::Warning(low.join("; ")) }
}

/// Says what is measured here.
pub(super) fn describe() {
    describe_gauge!(
        "data_disk_free_bytes",
        Unit::Bytes,
        "What is free on the disk of the data folder"
    );
    describe_gauge!("nats_store_used_bytes", Unit::Bytes, "What all streams take on disk");
    describe_gauge!("nats_store_max_bytes", Unit::Bytes, "What all streams may take on disk");
    describe_gauge!(
        "storage_low",
        "1 while little is left, of the disk or of the store of nats-server"
    );
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn note(gauge: &Gauge, bytes: u64) {
    gauge.set(bytes as f64);
}

fn note_low(what: &'static str, is_low: bool) {
    gauge!("storage_low", "of" => what).set(if is_low { 1.0 } else { 0.0 });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(bytes("4GB"), Some(4 * GIB));
        assert_eq!(bytes("500 MB"), Some(500 * MIB));
        for wrong in ["", "4", "GB", "0GB", "-1GB", "4 TB", "99999999999999GB", "4gb"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn streams_that_are_there_are_opened_whatever_the_setting_says() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let stream = dir.path().join("jetstream/jetstream/NEWSWIRE/streams/DEAD_LETTERS");
        fs::create_dir_all(stream.join("msgs")).expect("a folder");
        assert_eq!(max_store(dir.path(), "1GB").expect("a size"), GIB);
        let meta = serde_json::json!({ "name": "DEAD_LETTERS", "max_bytes": 3 * GIB }).to_string();
        fs::write(stream.join("meta.inf"), meta).expect("written");
        assert_eq!(max_store(dir.path(), "1GB").expect("a size"), 4 * GIB);
        assert_eq!(max_store(dir.path(), "8GB").expect("a size"), 8 * GIB);
        assert!(max_store(dir.path(), "much").is_err());
    }
}
