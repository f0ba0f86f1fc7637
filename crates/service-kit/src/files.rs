//! Where a service keeps its files.

use std::{fs, path::Path};

use anyhow::Context as _;

/// Makes the folder `path`, and those above it, unless it is there.
///
/// # Errors
/// It cannot be made; names the folder.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(path)
        .with_context(|| format!("creating the folder {} failed", path.display()))
}

/// Makes the folder in which the file `path` is to be, unless it is there.
///
/// # Errors
/// It cannot be made; names the folder.
pub fn make_folder_of(path: &Path) -> anyhow::Result<()> {
    // A relative file's own folder is there already.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), make_folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_or_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("a/b/file.db");
        make_folder_of(&file).expect("made");
        make_folder_of(&file).expect("there already");
        make_folder_of(Path::new("file.db")).expect("nothing to make");
        fs::write(&file, "").expect("written");
        let error = make_folder(&file.join("c")).expect_err("a file is in the way");
        let error = format!("{error:#}");
        assert!(
            error.contains("creating the folder") && error.contains("a/b/file.db/c"),
            "{error}"
        );
    }
}
