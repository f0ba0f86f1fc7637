//! Settings whose value is in a file: `password_file = "/run/secrets/x"` in place of `password = "…"`.

use std::{fs, path::PathBuf};

use config::{Map, Value, ValueKind};

use super::SettingsError;

const SUFFIX: &str = "_file";

/// Takes every `<key>_file` in `given` for which `known` has a `<key>` with text, and none of that name itself, and puts
/// the file's text, without the end of its last line, in its place. A file of nothing is the same as no value.
pub(super) fn read(given: Value, known: &Value) -> Result<Value, SettingsError> {
    let origin = given.origin().map(str::to_owned);
    let kind = match (given.kind, &known.kind) {
        (ValueKind::Table(given), ValueKind::Table(known)) => {
            ValueKind::Table(table("", given, known)?)
        }
        (kind, _) => kind,
    };
    Ok(Value::new(origin.as_ref(), kind))
}

fn table(
    within: &str,
    given: Map<String, Value>,
    known: &Map<String, Value>,
) -> Result<Map<String, Value>, SettingsError> {
    let mut read = Map::new();
    let mut files = Vec::new();
    for (key, value) in given {
        let name = if within.is_empty() { key.clone() } else { format!("{within}.{key}") };
        let origin = value.origin().map(str::to_owned);
        match (value.kind, known.get(&key).map(|known| &known.kind)) {
            (ValueKind::Table(inner), Some(ValueKind::Table(known))) => {
                let inner = table(&name, inner, known)?;
                read.insert(key, Value::new(origin.as_ref(), inner));
            }
            (ValueKind::String(path), None) if is_text(&key, known) => {
                files.push((key, name, path));
            }
            (kind, _) => {
                read.insert(key, Value::new(origin.as_ref(), kind));
            }
        }
    }
    for (key, name, path) in files.into_iter().filter(|(_, _, path)| !path.is_empty()) {
        let stem = key.trim_end_matches(SUFFIX).to_owned();
        let given = read.get(&stem).is_some_and(|value| !is_empty(value));
        if given {
            return Err(SettingsError::Twice { key: name });
        }
        let text = fs::read_to_string(&path).map_err(|error| SettingsError::SecretFile {
            key: name,
            path: PathBuf::from(&path),
            reason: error.to_string(),
        })?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        read.insert(stem, Value::new(Some(&path), text));
    }
    Ok(read)
}

/// Whether `key` names a file for a setting that is a text.
fn is_text(key: &str, known: &Map<String, Value>) -> bool {
    let stem = key.strip_suffix(SUFFIX).and_then(|stem| known.get(stem));
    stem.is_some_and(|known| matches!(known.kind, ValueKind::String(_)))
}

fn is_empty(value: &Value) -> bool {
    matches!(&value.kind, ValueKind::String(text) if text.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use config::{Config, File, FileFormat};

    use super::*;

    fn parsed(toml: &str) -> Value {
        let file = File::from_str(toml, FileFormat::Toml);
        Config::builder().add_source(file).build().expect("TOML").cache
    }

    fn read_from(toml: &str) -> Result<Option<String>, SettingsError> {
        let known = parsed("[nats]\npassword = \"\"\nca_file = \"\"\nreplicas = 1");
        let read = Config::builder()
            .add_source(super::super::layer::Layer::of(read(parsed(toml), &known)?, &known));
        Ok(read.build().expect("settings").get_string("nats.password").ok())
    }

    fn file(text: &str) -> String {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!("newswire-secret-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    #[test]
    fn a_secret_is_the_text_of_its_file_without_the_last_line_end() {
        for (text, expected) in [
            ("s3cret\n", Some("s3cret")),
            ("s3cret", Some("s3cret")),
            ("a\n\n", Some("a\n")),
            ("", None),
        ] {
            let path = file(text);
            let found = read_from(&format!("[nats]\npassword_file = \"{path}\"")).expect("read");
            assert_eq!(found.as_deref(), expected, "{text:?}");
            fs::remove_file(path).expect("removed");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named_with_its_setting() {
        let toml = "[nats]\npassword_file = \"/there/is/no/such/file\"";
        let error = read_from(toml).expect_err("refused").to_string();
        assert!(error.contains("nats.password_file") && error.contains("/no/such/file"), "{error}");
    }

    #[test]
    fn a_secret_that_is_given_twice_is_refused_and_an_empty_name_is_none() {
        let toml = "[nats]\npassword = \"a\"\npassword_file = \"/dev/null\"";
        let error = read_from(toml).expect_err("refused").to_string();
        assert!(error.contains("nats.password_file"), "{error}");
        let found = read_from("[nats]\npassword = \"a\"\npassword_file = \"\"").expect("read");
        assert_eq!(found.as_deref(), Some("a"));
    }

    #[test]
    fn a_setting_that_is_a_file_itself_or_no_text_is_left_alone() {
        let known = parsed("[nats]\npassword = \"\"\nca_file = \"\"\nreplicas = 1");
        let given = parsed("[nats]\nca_file = \"/no/such\"\nreplicas_file = \"/no/such\"");
        let read = read(given, &known).expect("nothing is read");
        let keys = super::super::keys(&read);
        assert!(keys.contains("nats.ca_file") && keys.contains("nats.replicas_file"), "{keys:?}");
    }
}
