use super::*;

fn from(toml: &str) -> Result<CommonSettings, SettingsError> {
    let given = Config::builder().add_source(File::from_str(toml, FileFormat::Toml)).build()?;
    load_from([given.cache])
}

/// With these variables.
fn under(variables: &[(&str, &str)]) -> Result<CommonSettings, SettingsError> {
    let pairs = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    let environment = Environment::with_prefix(PREFIX).prefix_separator("__").separator("__");
    let environment = environment.source(Some(pairs.collect()));
    load_from([Config::builder().add_source(environment).build()?.cache])
}

#[test]
fn the_documented_defaults_are_complete() {
    let settings = from("").expect("the defaults are valid");
    assert_eq!(settings.http.listen.port(), 8080);
}

#[test]
fn a_given_value_wins() {
    let settings = from("[http]\nlisten = \"127.0.0.1:1\"").expect("valid");
    assert_eq!(settings.http.listen.port(), 1);
    assert_eq!(settings.admin.listen.port(), 9180);
}

#[test]
fn origins_are_a_list_or_a_text_with_commas() {
    for value in ["[\"https://a\", \"http://b:1\"]", "\"https://a, http://b:1\""] {
        let settings = from(&format!("[http]\nallowed_origins = {value}")).expect("valid");
        let origins = settings.http.allowed_origins;
        assert!(origins.allows("https://a") && origins.allows("http://b:1"), "{value}");
    }
    assert!(from("").expect("valid").http.allowed_origins.is_empty());
    let error = from("[http]\nallowed_origins = [\"*\"]").expect_err("no origin").to_string();
    assert!(error.contains("allowed_origins") && error.contains('*'), "{error}");
}

#[test]
fn a_misspelt_setting_is_named_with_its_neighbours() {
    let error = from("[http]\nlisen = \"127.0.0.1:1\"").expect_err("misspelt").to_string();
    assert!(error.contains("http.lisen") && error.contains("listen"), "{error}");
    let error = from("[htpp]\nlisten = 1").expect_err("misspelt").to_string();
    assert!(error.contains("htpp.listen") && error.contains("gateway"), "{error}");
}

#[test]
fn a_wrong_value_is_named_with_what_was_expected() {
    let error = from("[http]\nmax_connections = \"many\"").expect_err("wrong").to_string();
    assert!(error.contains("http.max_connections") && error.contains("many"), "{error}");
    let error = from("[http]\ntrusted_proxies = \"edge\"").expect_err("wrong").to_string();
    assert!(error.contains("http.trusted_proxies") && error.contains("edge"), "{error}");
}

#[test]
fn an_empty_value_is_no_value_whatever_its_type() {
    let file = "[log]\nlevel = \"\"\nformat = \"\"\n[http]\nlisten = \"\"\nmax_connections = \"\"";
    let variables = [
        ("NEWSWIRE__LOG__LEVEL", ""),
        ("NEWSWIRE__LOG__FORMAT", ""),
        ("NEWSWIRE__HTTP__LISTEN", ""),
        ("NEWSWIRE__HTTP__MAX_CONNECTIONS", ""),
        ("NEWSWIRE__DATA_DIR", ""),
    ];
    for settings in [from(file), under(&variables)] {
        let settings = settings.expect("as good as nothing");
        assert_eq!(settings.log.format, LogFormat::Auto);
        assert!(!settings.log.level.is_empty());
        assert_eq!(settings.http.listen.port(), 8080);
        assert_eq!(settings.http.max_connections.get(), 4096);
    }
}

#[test]
fn an_empty_value_of_a_setting_that_does_not_exist_is_named_all_the_same() {
    let error = under(&[("NEWSWIRE__HTPP__LISTEN", "")]).expect_err("misspelt").to_string();
    assert!(error.contains("htpp.listen"), "{error}");
}
