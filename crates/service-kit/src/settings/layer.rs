//! One source of settings, without what is empty in it.

use std::{fs, io, path::Path};

use config::{Config, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};

use super::{DEFAULT_FILE, SettingsError};

/// Settings that were read.
#[derive(Debug, Clone)]
pub(super) struct Layer(Map<String, Value>);

impl Layer {
    /// What `given` says. Text for a setting that `known` has as a list is a list, separated by commas.
    pub(super) fn of(given: Value, known: &Value) -> Self {
        match given.kind {
            ValueKind::Table(given) => Self(given_only(given, known)),
            _ => Self(Map::new()),
        }
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// Reads the settings file. Only the default one may be absent; then nothing is set.
pub(super) fn file(named: Option<&Path>) -> Result<Value, SettingsError> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    let unusable = |reason: String| SettingsError::File { path: path.to_owned(), reason };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        // A link that leads nowhere is not found either, and somebody meant it to be.
        Err(error) if named.is_none() && is_absent(path, &error) => String::new(),
        Err(error) => return Err(unusable(error.to_string())),
    };
    let parsed = Config::builder().add_source(File::from_str(&text, FileFormat::Toml)).build();
    Ok(parsed.map_err(|error| unusable(error.to_string()))?.cache)
}

fn is_absent(path: &Path, error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        && fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// `table` without the empty values.
fn given_only(table: Map<String, Value>, known: &Value) -> Map<String, Value> {
    let names = match &known.kind {
        ValueKind::Table(names) => Some(names),
        _ => None,
    };
    let values = table.into_iter().filter_map(|(key, value)| {
        let known = names.and_then(|names| names.get(&key));
        let origin = value.origin().map(str::to_owned);
        let kind = match (value.kind, known) {
            (ValueKind::String(text), _) if text.is_empty() => return None,
            (ValueKind::Table(table), Some(known)) => ValueKind::Table(given_only(table, known)),
            (ValueKind::String(text), Some(Value { kind: ValueKind::Array(_), .. })) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                ValueKind::Array(items.map(|item| Value::new(origin.as_ref(), item)).collect())
            }
            (kind, _) => kind,
        };
        Some((key, Value::new(origin.as_ref(), kind)))
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(toml: &str) -> Value {
        let file = File::from_str(toml, FileFormat::Toml);
        Config::builder().add_source(file).build().expect("TOML").cache
    }

    #[test]
    fn a_list_may_be_given_as_text() {
        let known = table("[http]\nlist = []\ntext = \"\"");
        for (given, expected) in [("a, b,", vec!["a", "b"]), (",", vec![])] {
            let given = table(&format!("[http]\nlist = \"{given}\"\ntext = \"a,b\""));
            let built = Config::builder().add_source(Layer::of(given, &known)).build();
            let built = built.expect("valid");
            assert_eq!(built.get::<Vec<String>>("http.list").expect("a list"), expected);
            assert_eq!(built.get::<String>("http.text").expect("a text"), "a,b");
        }
    }

    #[test]
    fn a_named_file_must_be_there_and_a_folder_is_none() {
        let absent = std::env::temp_dir().join("newswire-there-is-no-such-file.toml");
        for path in [absent, std::env::temp_dir()] {
            let error = file(Some(&path)).expect_err("refused").to_string();
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }
}
