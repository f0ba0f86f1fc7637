//! Who a client is.

use std::time::Duration;

use eventsourcing::UserId;
use service_kit::auth::Claims;
use time::OffsetDateTime;

/// A user who has authenticated.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) id: UserId,
    /// When the token ends, in seconds of Unix time.
    pub(super) expires_at: i64,
    /// Until when it is taken all the same.
    until: i64,
}

/// The token names nobody who could write either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token names no usable user")]
pub(super) struct UnusableUser;

impl User {
    /// The user whom a valid token names.
    pub(super) fn of(claims: &Claims) -> Result<Self, UnusableUser> {
        let id = claims.sub.parse().map_err(|_| UnusableUser)?;
        Ok(Self { id, expires_at: claims.exp, until: claims.valid_until() })
    }

    /// How long the token is still taken.
    pub(super) fn expires_in(&self) -> Option<Duration> {
        let until = OffsetDateTime::from_unix_timestamp(self.until).ok()?;
        Some((until - OffsetDateTime::now_utc()).try_into().unwrap_or(Duration::ZERO))
    }
}
