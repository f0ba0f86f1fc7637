//! Every subject of `names.rs`, with everything that its parts can be.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::conf::User;

/// What nobody has given a permission.
const OTHER: &str = "other";

/// What the parts of a subject can be.
struct Parts {
    /// The contexts, each with its verbs and its queries.
    contexts: BTreeMap<String, (Vec<String>, Vec<String>)>,
    /// Consumers by stream.
    consumers: BTreeMap<&'static str, BTreeSet<String>>,
    leases: BTreeSet<String>,
    claims: BTreeSet<String>,
}

/// All subjects of `names.rs` in the project at `root`.
pub fn all(root: &Path, users: &[User]) -> BTreeSet<String> {
    let names = fs::read_to_string(root.join("crates/messaging/src/names.rs")).expect("there");
    let names = names.split("#[cfg(test)]").next().expect("code");
    let names = names.split("pub mod header").next().expect("names");
    let parts = Parts::of(root, users);
    let mut subjects = BTreeSet::new();
    for line in names.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for literal in line.split('"').skip(1).step_by(2) {
            // A name of a stream is no subject, and a prefix is none either.
            if literal.contains('.') && !literal.ends_with('.') && !literal.contains(' ') {
                parts.fill(literal, &mut subjects);
            }
        }
    }
    assert!(subjects.len() > 60, "{subjects:?}");
    subjects
}

impl Parts {
    fn of(root: &Path, users: &[User]) -> Self {
        let named = |prefix: &str| -> BTreeSet<String> {
            let patterns = users.iter().flat_map(|user| user.publish.iter().chain(&user.subscribe));
            let behind = patterns.filter_map(|allowed| allowed.pattern.strip_prefix(prefix));
            let tokens = behind.filter_map(|rest| rest.split('.').next());
            let tokens = tokens.filter(|token| !["*", ">"].contains(token)).map(str::to_owned);
            tokens.chain([OTHER.to_owned()]).collect()
        };
        let consumers = |stream| (stream, named(&format!("$JS.API.CONSUMER.INFO.{stream}.")));
        Self {
            contexts: contexts(root),
            consumers: ["EVENTS", "COMMANDS"].map(consumers).into_iter().collect(),
            leases: named("$KV.LEASES."),
            claims: named("events.claim."),
        }
    }

    /// Puts everything that `template` can be into `subjects`.
    fn fill(&self, template: &str, subjects: &mut BTreeSet<String>) {
        let Some((before, rest)) = template.split_once('{') else {
            subjects.insert(template.to_owned());
            return;
        };
        let (part, after) = rest.split_once('}').expect("a placeholder ends");
        for value in self.values(part, before) {
            self.fill(&format!("{before}{value}{after}"), subjects);
        }
    }

    /// What the placeholder `part` can be, where `before` stands before it.
    fn values(&self, part: &str, before: &str) -> Vec<String> {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let context = before.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        let of_context = self.contexts.get(context);
        let ids = || self.contexts.keys().map(|context| format!("{context}.<id>")).collect();
        match part {
            "ABLE" => owned(&["able"]),
            "id" | "digest" => owned(&["<id>"]),
            "context" => self.contexts.keys().cloned().collect(),
            "verb" => of_context.map(|(verbs, _)| verbs.clone()).expect("of a context"),
            "name" if before.starts_with("queries") => {
                of_context.map(|(_, queries)| queries.clone()).expect("of a context")
            }
            "name" => self.leases.iter().cloned().collect(),
            "stream" if before.starts_with("$KV") => ids(),
            "" => ids(),
            "stream" => owned(&["EVENTS", "COMMANDS"]),
            "kind" => self.claims.iter().cloned().collect(),
            "subject" => owned(&["events.article.<id>"]),
            "consumer" | "service" => {
                let stream = if before.contains("COMMANDS") { "COMMANDS" } else { "EVENTS" };
                self.consumers[stream].iter().cloned().collect()
            }
            part => panic!("names.rs has a placeholder that is not known here: {part}"),
        }
    }
}

/// The contexts of `contracts`, each with its verbs and its queries; and one that is not there.
fn contexts(root: &Path) -> BTreeMap<String, (Vec<String>, Vec<String>)> {
    let source = root.join("crates/contracts/src");
    let mut contexts = BTreeMap::new();
    for entry in fs::read_dir(source).expect("there").map(|entry| entry.expect("ours").path()) {
        if !entry.is_dir() {
            continue;
        }
        let (mut verbs, mut queries) = (Vec::new(), Vec::new());
        for file in fs::read_dir(&entry).expect("there").map(|file| file.expect("ours").path()) {
            let text = fs::read_to_string(file).expect("text");
            let values = |name: &str| -> Vec<String> {
                let begin = format!("const {name}: &'static str = \"");
                let found = text.split(&begin).skip(1);
                found.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())).collect()
            };
            verbs.extend(values("VERB"));
            queries.extend(values("NAME"));
        }
        let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(!verbs.is_empty() && !queries.is_empty(), "{name} has no commands or no queries");
        contexts.insert(name, (verbs, queries));
    }
    let other = || vec![OTHER.to_owned()];
    contexts.insert(OTHER.to_owned(), (other(), other()));
    contexts
}
