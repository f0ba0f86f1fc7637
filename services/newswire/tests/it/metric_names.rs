//! Whoever reads `/metrics`, or README.md, is told what each metric means. What is measured is looked for in the code.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The macros that measure; with `describe_` before them they describe.
const MACROS: [&str; 3] = ["counter!(", "gauge!(", "histogram!("];

/// What `/metrics` has from a library, under Prometheus' own names.
const OF_THE_LIBRARY: &str = "process_";

#[test]
fn every_metric_is_described() {
    let Metrics { measured, described } = Metrics::of_the_code();
    let (measured, described): (BTreeSet<_>, BTreeSet<_>) =
        (measured.into_keys().collect(), described.into_keys().collect());
    assert!(measured.len() > 25, "these are all that were found: {measured:?}");
    assert_eq!(measured, described, "measured, and described with describe_counter! and the like");
}

#[test]
fn the_readme_has_every_metric_with_its_labels_and_no_other() {
    let (measured, rows) = (Metrics::of_the_code().measured, rows());
    let of_ours = rows.keys().filter(|name| !name.starts_with(OF_THE_LIBRARY));
    let (said, known): (BTreeSet<_>, BTreeSet<_>) = (of_ours.collect(), measured.keys().collect());
    assert_eq!(said, known, "in the tables of README.md, and in the code");
    for (name, labels) in measured {
        let text = &rows[&name];
        let unsaid: Vec<_> =
            labels.iter().filter(|label| !text.contains(&format!("`{label}`"))).collect();
        assert!(unsaid.is_empty(), "README.md says nothing of the labels {unsaid:?} of {name}");
    }
}

/// The metrics of the code by name, each with its labels.
#[derive(Default)]
struct Metrics {
    measured: BTreeMap<String, BTreeSet<String>>,
    described: BTreeMap<String, BTreeSet<String>>,
}

impl Metrics {
    fn of_the_code() -> Self {
        let mut metrics = Self::default();
        for path in sources() {
            let text = fs::read_to_string(&path).expect("readable");
            for (at, start) in MACROS.iter().flat_map(|start| text.match_indices(start)) {
                let arguments = arguments(&text[at + start.len()..]);
                let name = name(&text, arguments).unwrap_or_else(|| {
                    panic!("a metric of {} has no constant name", path.display())
                });
                let is_said = text[..at].ends_with("describe_");
                let all = if is_said { &mut metrics.described } else { &mut metrics.measured };
                all.entry(name).or_default().extend(labels(arguments));
            }
        }
        metrics
    }
}

/// What is before the bracket that ends the call whose arguments begin `text`.
fn arguments(text: &str) -> &str {
    let mut depth = 0;
    let end = text.find(|character| {
        depth += match character {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth < 0
    });
    &text[..end.expect("the call ends")]
}

/// The labels that `arguments` name: what stands before an arrow, between quotation marks.
fn labels(arguments: &str) -> impl Iterator<Item = String> {
    let before: Vec<&str> = arguments.split("\" =>").collect();
    let labels = before.len() - 1;
    before.into_iter().take(labels).filter_map(|text| Some(text.rsplit_once('"')?.1.to_owned()))
}

/// The first of `arguments` in `text`: a literal, a constant of the same file, or the counter of a service, whose name is before it.
fn name(text: &str, arguments: &str) -> Option<String> {
    let argument = arguments.split(',').next()?.trim();
    let literal = |text: &str| Some(text.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    if let Some((_, name)) = argument.split_once(".counter(") {
        return Some(format!("<service>_{}", literal(name.strip_suffix(')')?)?));
    }
    literal(argument).or_else(|| {
        let (_, value) = text.split_once(&format!("const {argument}: &str = "))?;
        literal(value.split(';').next()?)
    })
}

/// The metrics in the tables of README.md, each with its row and the sentence before its table.
fn rows() -> BTreeMap<String, String> {
    let text = fs::read_to_string(root().join("README.md")).expect("readable");
    let mut rows = BTreeMap::new();
    for (head, table) in text.split("\n\n").zip(text.split("\n\n").skip(1)) {
        let Some(table) = table.strip_prefix("| metric | what it means |\n|---|---|\n") else {
            continue;
        };
        for row in table.lines() {
            let cell = row.split('|').nth(1).expect("a cell");
            for name in cell.split('`').skip(1).step_by(2) {
                let before = rows.insert(name.to_owned(), format!("{head}\n{row}"));
                assert_eq!(before, None, "{name} is there twice");
            }
        }
    }
    rows
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The source files of everything that runs in an installation.
fn sources() -> Vec<PathBuf> {
    let mut folders: Vec<_> = ["crates", "services"]
        .into_iter()
        .flat_map(|group| fs::read_dir(root().join(group)).expect("a folder"))
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
