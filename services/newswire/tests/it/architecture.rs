//! Dependencies point one way, and files stay short. What may depend on what is said once, here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// The crates of Newswire that each may use.
const ALLOWED: [(&str, &[&str]); 16] = [
    ("eventsourcing", &[]),
    ("contracts", &["eventsourcing"]),
    ("messaging", &["eventsourcing"]),
    ("service-kit", &[]),
    ("read-model", &["eventsourcing", "messaging", "service-kit"]),
    ("event-store-postgres", &["eventsourcing", "messaging", "service-kit"]),
    ("command-service", &["event-store-postgres", "eventsourcing", "messaging", "service-kit"]),
    ("test-support", &["contracts", "eventsourcing", "messaging", "service-kit"]),
    (
        "bench",
        &[
            "article",
            "contracts",
            "eventsourcing",
            "gateway",
            "messaging",
            "projection",
            "service-kit",
            "test-support",
        ],
    ),
    ("article", CONTEXT),
    ("comment", CONTEXT),
    ("gateway", SERVICE),
    ("projection", &["article", "comment", "messaging", "read-model", "service-kit"]),
    ("notification", SERVICE),
    ("push", SERVICE),
    (
        "newswire",
        &[
            "article",
            "comment",
            "contracts",
            "eventsourcing",
            "gateway",
            "messaging",
            "notification",
            "projection",
            "push",
            "service-kit",
        ],
    ),
];
/// What a context is made of.
const CONTEXT: &[&str] = &[
    "command-service",
    "contracts",
    "event-store-postgres",
    "eventsourcing",
    "messaging",
    "read-model",
    "service-kit",
];
const SERVICE: &[&str] = &["contracts", "eventsourcing", "messaging", "service-kit"];

/// The crates of others that not everybody may use.
const RESTRICTED: [(&str, &[&str]); 3] = [
    ("async-nats", &["bench", "messaging", "test-support"]),
    ("axum", &["bench", "gateway", "push", "service-kit"]),
    ("sqlx", &["article", "comment", "event-store-postgres", "notification", "read-model"]),
];

/// Whose read models are hosted.
const CONTEXTS: [&str; 2] = ["article", "comment"];
/// The service that hosts them.
const HOST: &str = "projection";

/// They never depend on each other, not even in a test; but the host of read models is made of those.
const SERVICES: [&str; 6] = ["article", "comment", "gateway", "projection", "notification", "push"];

/// What the pure core does without.
const NOT_IN_THE_CORE: [&str; 5] = ["tokio", "async-nats", "sqlx", "axum", "tracing"];

#[test]
fn dependencies_point_the_allowed_way() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    let ours: Vec<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let allowed = ALLOWED.iter().find(|(of, _)| *of == name);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{name} is not in the list: add it"));
        let used = package.dependencies.iter();
        for used in used {
            let (used, kind) = (used.name.as_str(), used.kind);
            let is_service = |name: &str| SERVICES.contains(&name);
            // Read models are hosted together: their events come over one connection, and queries do without commands.
            let is_hosted = name == HOST && CONTEXTS.contains(&used);
            if is_service(name) && is_service(used) && !is_hosted {
                wrong.push(format!("{name} knows of {used}"));
            }
            if kind != DependencyKind::Normal {
                continue;
            }
            let restricted =
                RESTRICTED.iter().any(|(what, who)| *what == used && !who.contains(&name));
            let not_ours = ours.contains(&used) && !allowed.contains(&used);
            let impure = name == "eventsourcing" && NOT_IN_THE_CORE.contains(&used);
            if restricted || not_ours || impure {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// How many lines a file has at most: what a reader can hold in the head.
const LINES: usize = 300;

/// The Rust files in `folder`, without what was built there.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("ours").path());
    let sources = entries.flat_map(|path| match path.extension() {
        Some(extension) if extension == "rs" => vec![path],
        _ if path.is_dir() && !path.ends_with("target") => sources(&path),
        _ => Vec::new(),
    });
    sources.collect()
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold_in_the_head() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let sources: Vec<_> =
        ["crates", "services", "tools"].iter().flat_map(|it| sources(&root.join(it))).collect();
    assert!(sources.len() > 200, "only {} files were found", sources.len());
    let lines = |path: &PathBuf| fs::read_to_string(path).expect("text").lines().count();
    let long: Vec<_> = sources.iter().filter(|path| lines(path) > LINES).collect();
    assert!(long.is_empty(), "longer than {LINES} lines: {long:?}");
}
