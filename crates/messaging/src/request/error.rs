use std::fmt;

/// Why a service could neither accept nor refuse.
///
/// On the wire it is a code of the shape of an HTTP status and the name, in the headers of the NATS service API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceError {
    /// Something that the service needs is not there; nothing was changed.
    Unavailable,
    /// The read model has not reached the position that was asked for.
    ProjectionBehind,
    /// The read model was made from another stream of events than the one that is there.
    AnotherStream,
    /// Other writers were first, again and again; nothing was changed.
    Contended,
    /// The same command is being executed; its outcome can be had in a moment.
    InFlight,
    /// The request arrived after its deadline; nothing was changed.
    DeadlineExceeded,
    /// Nobody knows yet whether it happened; the same command id again settles it.
    OutcomeUnknown,
    /// A bug or a damaged store; it is in the service's log.
    Internal,
}

impl ServiceError {
    const ALL: [Self; 8] = [
        Self::Unavailable,
        Self::ProjectionBehind,
        Self::AnotherStream,
        Self::Contended,
        Self::InFlight,
        Self::DeadlineExceeded,
        Self::OutcomeUnknown,
        Self::Internal,
    ];

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::ProjectionBehind => "projection-behind",
            Self::AnotherStream => "read-model-of-another-stream",
            Self::Contended => "contended",
            Self::InFlight => "in-flight",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::Internal => "internal",
        }
    }

    /// The code: 409 while the same is in flight, 503 when nothing was changed and trying again may help, 504 when nobody knows, 500 otherwise.
    #[must_use]
    pub fn code(self) -> usize {
        match self {
            Self::Unavailable
            | Self::ProjectionBehind
            | Self::AnotherStream
            | Self::Contended
            | Self::DeadlineExceeded => 503,
            Self::InFlight => 409,
            Self::OutcomeUnknown => 504,
            Self::Internal => 500,
        }
    }

    /// Reads a name off the wire; an unknown one is internal.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|error| error.name() == name).unwrap_or(Self::Internal)
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for ServiceError {}
