//! Who may publish and subscribe where: `docs/permissions.md` says it for people, `deploy/nats/permissions.conf` for the server. Every
//! user of the one file and every subject of `names.rs` is compared with the other, so a subject too many is seen.

mod conf;
mod subjects;

use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf};

use self::conf::{Allowed, User};

/// What stands before the table.
const HEAD: &str = "\
# Who may do what on NATS

`deploy/nats/permissions.conf` says it to the server, and a test compares the two files. A row is a subject of
`crates/messaging/src/names.rs` with everything that its parts can be, or a permission that is about none of them. `<id>` stands for any
token; `other` for a context, a consumer or a name that nobody has given a permission. With `as NAME` a user subscribes in the queue group
NAME only. The user `admin`, who provisions streams, may do everything and is left out. Nobody in a column: nobody may.

| subject | may publish | may subscribe |
|---|---|---|
";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_table_of_permissions_says_what_the_server_is_told() {
    let text = fs::read_to_string(root().join("deploy/nats/permissions.conf")).expect("there");
    let users = conf::users(&text);
    assert!(users.len() > 6, "{users:?}");
    let (admins, users): (Vec<_>, Vec<_>) =
        users.into_iter().partition(|user| user.name == "admin");
    assert!(admins.iter().all(|admin| admin.publish[0].pattern == ">"));
    let table = table(&users);
    let file = root().join("docs/permissions.md");
    let written = fs::read_to_string(&file).unwrap_or_default();
    if written != table {
        let new = root().join("target/permissions.md");
        fs::write(&new, &table).expect("written");
        let lines: BTreeSet<_> = written.lines().collect();
        let changed: Vec<_> = table.lines().filter(|line| !lines.contains(line)).collect();
        panic!(
            "docs/permissions.md is not what permissions.conf says. If this is meant, copy {} over it:\n{}",
            new.display(),
            changed.join("\n")
        );
    }
}

/// A guest sees what a line names, and nothing of a context without one.
#[test]
fn guests_have_an_allow_list() {
    let text = fs::read_to_string(root().join("deploy/nats/permissions.conf")).expect("there");
    let guest = conf::users(&text).into_iter().find(|user| user.name == "guest").expect("there");
    for Allowed { pattern, .. } in guest.publish.iter().chain(&guest.subscribe) {
        let is_exact = !pattern.contains(['>', '*']);
        let is_of_context = pattern.starts_with("live.events.") && pattern.ends_with(".*");
        assert!(is_exact || is_of_context || pattern == "_INBOX.>", "{pattern} is too wide");
    }
}

fn table(users: &[User]) -> String {
    let mut rows = subjects::all(&root(), users);
    let known = rows.clone();
    // What is about no subject of ours, such as the server's own interfaces.
    for user in users {
        for Allowed { pattern, .. } in user.publish.iter().chain(&user.subscribe) {
            if !known.iter().any(|subject| conf::covers(pattern, subject)) {
                rows.insert(pattern.clone());
            }
        }
    }
    let mut table = HEAD.to_owned();
    for subject in rows {
        let may = |of: fn(&User) -> &Vec<Allowed>| {
            let mut may = Vec::new();
            for user in users {
                let allowed =
                    of(user).iter().find(|allowed| conf::covers(&allowed.pattern, &subject));
                match allowed {
                    Some(Allowed { queue: Some(queue), .. }) => {
                        may.push(format!("{} as {queue}", user.name));
                    }
                    Some(_) => may.push(user.name.clone()),
                    None => {}
                }
            }
            may.join(", ")
        };
        let (publish, subscribe) = (may(|user| &user.publish), may(|user| &user.subscribe));
        writeln!(table, "| `{subject}` | {publish} | {subscribe} |").expect("a text takes all");
    }
    table
}
