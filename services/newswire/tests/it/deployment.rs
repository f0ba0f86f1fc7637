//! The files for containers say what the code says.

use std::{collections::BTreeSet, fs, process::Command};

fn file(path: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    fs::read_to_string(format!("{root}/{path}")).expect("the file can be read")
}

#[test]
fn images_have_the_version_of_the_code() {
    let version = format!("${{NEWSWIRE_VERSION:-{}}}", env!("CARGO_PKG_VERSION"));
    let compose = file("docker-compose.yml");
    assert_eq!(compose.matches("NEWSWIRE_VERSION").count(), compose.matches(&version).count());
    let example = format!("NEWSWIRE_VERSION={}\n", env!("CARGO_PKG_VERSION"));
    assert!(file(".env.example").contains(&example), "{example}");
}

#[test]
fn every_user_has_a_password_in_a_file_and_every_service_is_scraped() {
    let permissions = file("deploy/nats/permissions.conf");
    let users = permissions
        .split("user: ")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next());
    let users: Vec<&str> = users.filter(|user| !matches!(*user, "system" | "guest")).collect();
    assert!(users.len() >= 6, "{users:?}");
    assert_eq!(
        users.iter().map(ToString::to_string).collect::<BTreeSet<_>>(),
        test_support::users()
    );
    let made = made_secrets();
    let compose = file("docker-compose.yml");
    for user in users {
        let secret = format!("  nats_{user}: {{ file: ");
        assert!(compose.contains(&secret), "docker-compose.yml has no secret for {user}");
        assert!(made.contains(&format!("nats_{user}")), "init-secrets.sh does not know {user}");
        let given = format!("nats_{user}");
        let given = compose
            .lines()
            .any(|line| line.trim().starts_with("secrets: [nats_admin, ") && line.contains(&given));
        assert!(given, "the nats-server of docker-compose.yml is not given the password of {user}");
        let scraped = file("deploy/prometheus/prometheus.yml");
        assert!(user == "admin" || scraped.contains(user), "prometheus.yml does not know {user}");
    }
}

/// The files that `scripts/init-secrets.sh` makes.
fn made_secrets() -> BTreeSet<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/init-secrets.sh");
    let made = Command::new("/bin/sh").arg(script).arg(folder.path()).output().expect("a shell");
    assert!(made.status.success(), "{made:?}");
    let entries = fs::read_dir(folder.path()).expect("made");
    entries.map(|entry| entry.expect("ours").file_name().into_string().expect("text")).collect()
}

/// The settings that `text` names, which begin with `before`.
fn settings<'a>(text: &'a str, before: &str) -> BTreeSet<&'a str> {
    let names = text.split(before).skip(1);
    let end = |rest: &'a str| rest.split(|c: char| !(c.is_ascii_uppercase() || c == '_')).next();
    names.filter_map(end).filter(|name| name.starts_with("NEWSWIRE_")).collect()
}

#[test]
fn every_setting_of_docker_compose_is_in_the_example_and_in_the_documentation() {
    let (compose, example) = (file("docker-compose.yml"), file(".env.example"));
    let used = settings(&compose, "${");
    assert!(used.len() >= 7, "{used:?}");
    assert_eq!(used, settings(&example, "\n"));
    let documentation = file("docs/compose.md");
    for name in used {
        assert!(documentation.contains(name), "docs/compose.md does not name {name}");
    }
}
