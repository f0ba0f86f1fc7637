//! CONTRIBUTING.md names files. They are there.

use std::{fs, path::Path};

/// The examples' names, which are of files that are to be made.
const TO_BE_MADE: [&str; 3] = ["review", "archive", "<name>"];
/// The folders that a path in a recipe begins with.
const FOLDERS: [&str; 5] = ["crates/", "services/", "deploy/", "docs/", "scripts/"];

#[test]
fn every_file_that_a_recipe_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("CONTRIBUTING.md")).expect("readable");
    let named = text.split('`').skip(1).step_by(2);
    let paths = named.filter(|name| FOLDERS.iter().any(|folder| name.starts_with(folder)));
    let paths = paths.filter(|path| !TO_BE_MADE.iter().any(|name| path.contains(name)));
    let paths: Vec<_> = paths.filter(|path| !path.contains(' ')).collect();
    assert!(paths.len() > 40, "{paths:?}");
    let missing: Vec<_> = paths.into_iter().filter(|path| !root.join(path).exists()).collect();
    assert!(missing.is_empty(), "CONTRIBUTING.md names files that are not there: {missing:?}");
}
