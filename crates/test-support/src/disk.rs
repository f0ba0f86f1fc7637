use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// Flips a bit in the stream `EVENTS` of the stopped nats-server that keeps its data in `store`: in the first place
/// where `text` stands.
///
/// # Panics
///
/// Panics when it stands nowhere.
pub fn damage(store: &Path, text: &str) {
    let messages = store.join("jetstream/NEWSWIRE/streams/EVENTS/msgs");
    let files = fs::read_dir(&messages).expect("the folder of the stream").flatten();
    for path in files.map(|entry| entry.path()) {
        let mut bytes = fs::read(&path).expect("a file of the stream");
        let found = bytes.windows(text.len()).position(|window| window == text.as_bytes());
        if let Some(found) = found {
            bytes[found] ^= 1;
            fs::write(&path, bytes).expect("written");
            return;
        }
    }
    panic!("{text} stands nowhere in {}", messages.display());
}

/// A small disk of its own, which can be filled and emptied. Needs the right to mount: a test without it fails.
#[derive(Debug)]
pub struct SmallDisk {
    dir: TempDir,
}

impl SmallDisk {
    /// An empty one of `megabytes`.
    #[must_use]
    pub fn mount(megabytes: u32) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(dir.path())
            .output()
            .expect("mount runs");
        assert!(mounted.status.success(), "a test disk cannot be mounted (root?): {mounted:?}");
        Self { dir }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Leaves no room on it.
    pub fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.ballast());
        let file = file.as_mut().expect("a file");
        for chunk in [1 << 20, 1 << 12, 1] {
            let chunk = vec![0_u8; chunk];
            loop {
                match file.write(&chunk) {
                    Ok(written) if written > 0 => {}
                    Err(error) if error.kind() != ErrorKind::StorageFull => panic!("{error}"),
                    _ => break,
                }
            }
        }
    }

    /// Makes room again.
    pub fn empty(&self) {
        fs::remove_file(self.ballast()).expect("it was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: somebody may still have a file on it.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
