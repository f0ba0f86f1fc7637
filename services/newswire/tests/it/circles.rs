//! Files of one crate do not import each other in a circle: a reader would have to hold all of them in the head.

mod graph;
mod imports;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Circles of before this was tested, by a file of each. The list only gets shorter.
const KNOWN: [&str; 5] = [
    "messaging: connection",
    "messaging: consumer::reaction",
    "messaging: stream::watch",
    "push: socket",
    "service-kit: http::site",
];

/// A file, as the path of its module; the root of the crate is empty.
type Module = Vec<String>;

#[test]
fn files_of_a_crate_do_not_import_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let (mut circles, mut known, mut crates) = (Vec::new(), BTreeSet::new(), 0);
    for folder in ["crates", "services", "tools"] {
        for entry in fs::read_dir(root.join(folder)).expect("there") {
            let entry = entry.expect("ours").path();
            let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
            crates += 1;
            for circle in graph::circles(&edges(&entry.join("src"))) {
                let files: Vec<_> = circle.iter().map(|module| module.join("::")).collect();
                let named =
                    |known: &&&str| files.iter().any(|it| **known == format!("{name}: {it}"));
                match KNOWN.iter().find(named) {
                    Some(circle) => drop(known.insert(*circle)),
                    None => circles.push(format!("{name}: {}", files.join(", "))),
                }
            }
        }
    }
    assert!(crates > 12, "only {crates} crates were found");
    assert!(circles.is_empty(), "these files import each other in a circle: {circles:#?}");
    assert_eq!(known, KNOWN.into_iter().collect(), "take out those that are no more");
}

/// Which file imports from which.
fn edges(source: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let files: BTreeMap<Module, PathBuf> =
        files(source).into_iter().map(|file| (module(source, &file), file)).collect();
    let mut edges = BTreeMap::new();
    for (of, file) in &files {
        let text = fs::read_to_string(file).expect("text");
        let to_file = |mut path: Module| {
            while !path.is_empty() && !files.contains_key(&path) {
                path.pop();
            }
            path
        };
        let imported: BTreeSet<_> = imports::of(&text, of).into_iter().map(to_file).collect();
        // The root only lists what there is.
        let imported = imported.into_iter().filter(|path| path != of && !path.is_empty());
        edges.insert(of.clone(), imported.collect());
    }
    edges
}

/// Product code only: a test may look at everything.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("there").map(|entry| entry.expect("ours").path());
    let is_test = |path: &Path| {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
        ["tests", "conformance", "testing"].contains(&name.unwrap_or_default().as_str())
    };
    let mut found = Vec::new();
    for path in entries.filter(|path| !is_test(path)) {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn module(source: &Path, file: &Path) -> Module {
    let relative = file.strip_prefix(source).expect("inside").with_extension("");
    let parts = relative.iter().map(|part| part.to_string_lossy().into_owned());
    let mut module: Module = parts.collect();
    if ["lib", "main"].contains(&module.last().map_or("", String::as_str)) {
        module.pop();
    }
    module
}
