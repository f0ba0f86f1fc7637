//! Tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256, the only algorithm that is taken.

mod key;

use std::{fs, time::Duration};

use axum::http::{HeaderMap, header};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::ErrorKind,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;

pub use self::key::generate_key;
use crate::settings::SettingsError;

/// How far clocks may be apart, in seconds.
const LEEWAY: u64 = 5;
/// The shortest key, in bytes: the size of the hash (RFC 7518, 3.2).
const MIN_KEY: usize = 32;
/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 4096;

/// `[auth]`
#[derive(Debug, Clone, Deserialize)]
pub struct AuthSettings {
    /// The key itself.
    pub key: SecretString,
    /// The file with the key.
    pub key_file: String,
    /// Who issues tokens.
    pub issuer: String,
    /// For whom.
    pub audience: String,
}

impl AuthSettings {
    /// Whether a key is named at all.
    #[must_use]
    pub fn is_given(&self) -> bool {
        !self.key_file.is_empty() || !self.key.expose_secret().is_empty()
    }
}

/// What a token says of its user. Issuer, audience and times are checked and of no interest afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: String,
    /// What the user may do beyond what everybody may.
    #[serde(default)]
    pub roles: Vec<String>,
    /// When it ends, in whole seconds of Unix time.
    #[serde(deserialize_with = "numeric_date")]
    pub exp: i64,
}

/// A time as in RFC 7519, 2: seconds, which may have a fraction. Rounded as the library that checks the times rounds.
fn numeric_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let seconds = f64::deserialize(deserializer)?.round();
    Ok(time::Duration::saturating_seconds_f64(seconds).whole_seconds())
}

impl Claims {
    /// Until when the token is taken, in seconds of Unix time: a little longer than it says, since clocks may be apart.
    #[must_use]
    pub fn valid_until(&self) -> i64 {
        self.exp.saturating_add_unsigned(LEEWAY)
    }
}

/// What a token of ours says.
#[derive(Debug, Serialize)]
struct Minted<'a> {
    sub: &'a str,
    roles: &'a [String],
    iss: &'a str,
    aud: &'a str,
    nbf: i64,
    iat: i64,
    exp: i64,
}

/// Why a token is not taken. It says nothing that helps to forge one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It ended.
    #[error("the token has expired")]
    Expired,
    /// Everything else.
    #[error("the token is not valid")]
    Invalid,
}

/// Checks and mints tokens.
#[derive(Clone)]
pub struct Tokens {
    decoding: DecodingKey,
    encoding: EncodingKey,
    validation: Validation,
    issuer: String,
    audience: String,
}

impl Tokens {
    /// Reads the key that `settings` name.
    pub fn new(settings: &AuthSettings) -> Result<Self, SettingsError> {
        let key = match (settings.key.expose_secret(), settings.key_file.as_str()) {
            ("", "") => {
                return Err(SettingsError::wrong(
                    "auth.key_file",
                    "the path of a file with a key was expected (or the key in auth.key)",
                ));
            }
            ("", path) => fs::read_to_string(path).map_err(|error| {
                SettingsError::wrong("auth.key_file", format!("{path} cannot be read: {error}"))
            })?,
            (key, _) => key.to_owned(),
        };
        let key = key.trim();
        if key.len() < MIN_KEY {
            let expected = format!("a key of at least {MIN_KEY} characters was expected");
            return Err(SettingsError::wrong("auth.key", expected));
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[&settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let tokens = Self {
            decoding: DecodingKey::from_secret(key.as_bytes()),
            encoding: EncodingKey::from_secret(key.as_bytes()),
            validation,
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
        };
        tokens.self_test()?;
        Ok(tokens)
    }

    /// A token for `user` with `roles`, valid from now for `ttl`.
    pub fn mint(
        &self,
        user: &str,
        roles: &[String],
        ttl: Duration,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let now = OffsetDateTime::now_utc();
        let claims = Minted {
            sub: user,
            roles,
            iss: &self.issuer,
            aud: &self.audience,
            nbf: now.unix_timestamp(),
            iat: now.unix_timestamp(),
            exp: (now + ttl).unix_timestamp(),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
    }

    /// What `token` says, if it is ours and valid now.
    pub fn check(&self, token: &str) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Invalid);
        }
        match decode::<Claims>(token, &self.decoding, &self.validation) {
            Ok(token) => Ok(token.claims),
            Err(error) if *error.kind() == ErrorKind::ExpiredSignature => Err(TokenError::Expired),
            Err(_) => Err(TokenError::Invalid),
        }
    }

    /// What the bearer token of a request says; `None` without an `Authorization` header.
    ///
    /// # Errors
    /// A header that is there must be one, with a valid bearer token (RFC 6750).
    pub fn check_headers(&self, headers: &HeaderMap) -> Result<Option<Claims>, TokenError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            let several = headers.contains_key(header::AUTHORIZATION);
            return if several { Err(TokenError::Invalid) } else { Ok(None) };
        };
        let token = value.to_str().ok().and_then(|value| {
            let (scheme, token) = value.trim().split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        self.check(token.ok_or(TokenError::Invalid)?).map(Some)
    }

    /// The library panics at its first use when it was built without, or with two, cryptographic backends:
    /// then rather at the start.
    fn self_test(&self) -> Result<(), SettingsError> {
        let failed = |reason: String| SettingsError::wrong("auth.key", reason);
        let token = self
            .mint("self-test", &[], Duration::from_mins(1))
            .map_err(|error| failed(error.to_string()))?;
        self.check(&token).map(|_| ()).map_err(|error| failed(error.to_string()))
    }
}

#[cfg(test)]
mod tests;
