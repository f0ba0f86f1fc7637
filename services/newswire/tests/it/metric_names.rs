//! Whoever reads `/metrics` is told what each metric means. Said in the code, where each is measured: so looked for there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The macros that measure; with `describe_` before them they describe.
const MACROS: [&str; 3] = ["counter!(", "gauge!(", "histogram!("];

#[test]
fn every_metric_is_described() {
    let (mut measured, mut described) = (BTreeSet::new(), BTreeSet::new());
    for path in sources() {
        let text = fs::read_to_string(&path).expect("readable");
        for (at, start) in MACROS.iter().flat_map(|start| text.match_indices(start)) {
            let name = name(&text, &text[at + start.len()..])
                .unwrap_or_else(|| panic!("a metric of {} has no constant name", path.display()));
            let is_said = text[..at].ends_with("describe_");
            if is_said { &mut described } else { &mut measured }.insert(name);
        }
    }
    assert!(measured.len() > 25, "these are all that were found: {measured:?}");
    let silent: Vec<_> = measured.difference(&described).collect();
    assert!(
        silent.is_empty(),
        "no describe_counter!, describe_gauge!, describe_histogram! of {silent:?}"
    );
}

/// The first argument in `rest` of `text`: a literal, or a constant of the same file.
fn name(text: &str, rest: &str) -> Option<String> {
    let argument = rest.split([',', ')']).next()?.trim();
    let literal = |text: &str| Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    literal(argument).or_else(|| {
        let (_, value) = text.split_once(&format!("const {argument}: &str = "))?;
        literal(value.split(';').next()?)
    })
}

/// The source files of everything that runs in an installation.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders: Vec<_> = ["crates", "services"]
        .into_iter()
        .flat_map(|group| fs::read_dir(root.join(group)).expect("a folder"))
        .map(|entry| entry.expect("readable").path())
        .filter(|path| !path.ends_with("bench"))
        .map(|path| path.join("src"))
        .collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}
