//! What the domain says when it says no.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Claim, StreamIdentity};

/// Why a command or query was refused, in a form that travels.
///
/// A refusal is final for the state it was decided on: sending the same again without a change is of no use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Refusal {
    /// Stable, kebab-case; outsiders match on it.
    pub code: Cow<'static, str>,
    /// The class of refusal, from which a transport derives its status.
    pub kind: RefusalKind,
    /// One sentence for a person.
    pub detail: String,
    /// The fields at fault, when the input was bad.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The aggregate's version, when the one that was expected is not it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_version: Option<u64>,
    /// Every event up to this stream position was seen, when whoever refuses a query knows that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// The stream that it is a position of. In a box, since most results carry no refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Box<StreamIdentity>>,
}

/// The classes of refusal. A new refusal picks one; a new class is a change to every transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The input breaks a rule on its own.
    Invalid,
    /// The actor may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// There was such a thing.
    Gone,
    /// The state does not allow it.
    Conflict,
    /// The caller expected another version.
    VersionMismatch,
    /// The command id was used for another command.
    Reused,
}

/// One field at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The field's name, as the caller wrote it; dots for nested ones.
    pub field: Cow<'static, str>,
    /// The rule that it breaks.
    pub detail: String,
}

impl FieldError {
    /// `field` breaks the rule that `detail` states.
    pub fn new(field: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into() }
    }
}

impl Refusal {
    /// A refusal of class `kind` with a stable `code` and a sentence.
    pub fn new(
        kind: RefusalKind,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            current_version: None,
            position: None,
            stream: None,
        }
    }

    /// It is about the state that has every event up to `position`.
    #[must_use]
    pub fn at(self, position: u64) -> Self {
        Self { position: Some(position), ..self }
    }

    /// It is about a state of `stream`.
    #[must_use]
    pub fn of(self, stream: Option<StreamIdentity>) -> Self {
        Self { stream: stream.map(Box::new), ..self }
    }

    /// What was sent has a position, or a cursor, of another stream than `current`.
    #[must_use]
    pub fn another_stream(current: StreamIdentity) -> Self {
        let detail = "the position or cursor is of another stream: begin again without it";
        Self::new(RefusalKind::Conflict, "position-of-another-stream", detail).of(Some(current))
    }

    /// Bad input in `errors`.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_ref()).collect();
        let detail = format!("invalid input in: {}", fields.join(", "));
        Self { errors, ..Self::new(RefusalKind::Invalid, "invalid-input", detail) }
    }

    /// The aggregate is at `current`, which is not a version that the caller expects.
    #[must_use]
    pub fn version_mismatch(current: u64) -> Self {
        let detail = format!("the current version is {current}, which the request does not expect");
        Self {
            current_version: Some(current),
            ..Self::new(RefusalKind::VersionMismatch, "version-mismatch", detail)
        }
    }

    /// Another aggregate holds the value of `claim`.
    #[must_use]
    pub fn taken(claim: &Claim) -> Self {
        let field = claim.field;
        let errors = vec![FieldError::new(field, "is in use by another")];
        let detail = format!("this {field} is in use by another {}", claim.context);
        Self { errors, ..Self::new(RefusalKind::Conflict, format!("{field}-taken"), detail) }
    }

    /// The command id already stands for another command.
    #[must_use]
    pub fn reused() -> Self {
        Self::new(
            RefusalKind::Reused,
            "command-id-reused",
            "this command id or idempotency key was already used for another command",
        )
    }
}
