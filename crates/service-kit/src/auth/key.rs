//! Making a key.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use rand::Rng as _;

/// Writes a new random key to `path`, readable by its owner only, unless there is one. It appears whole or not at all.
///
/// One that is there and cannot be read, a link that leads nowhere included, stays: a new key would end every token.
pub fn generate_key(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let (one, other): (u128, u128) = rand::rng().random();
    let partial = path.with_extension(format!("{:016x}.partial", rand::rng().random::<u64>()));
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
    file.write_all(format!("{one:032x}{other:032x}").as_bytes())?;
    file.sync_all()?;
    // A link, since it fails where a rename would take the place of the key that another process has just made.
    let linked = fs::hard_link(&partial, path);
    fs::remove_file(&partial)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
