//! The files for containers say what the code says.

use std::{collections::BTreeSet, fs};

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
    let compose = file("docker-compose.yml");
    for user in users {
        let secret = format!("  nats_{user}: {{ file: ");
        assert!(compose.contains(&secret), "docker-compose.yml has no secret for {user}");
        for script in ["scripts/init-secrets.sh", "deploy/nats/start.sh"] {
            let text = file(script);
            let list = text.lines().find_map(|line| line.strip_prefix("for user in "));
            let names = list.expect("a list of users").trim_end_matches("; do");
            assert!(names.split(' ').any(|name| name == user), "{script} does not know {user}");
        }
        let scraped = file("deploy/prometheus/prometheus.yml");
        assert!(user == "admin" || scraped.contains(user), "prometheus.yml does not know {user}");
    }
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
