//! Positions and versions as databases have them: signed.

use crate::model::DatabaseError;

/// A number of a database that is never negative.
///
/// # Errors
/// It is negative.
pub fn number(number: i64) -> Result<u64, DatabaseError> {
    u64::try_from(number).map_err(|error| DatabaseError::Decode(error.into()))
}

/// A number as a database has it.
pub(crate) fn integer(number: u64) -> Result<i64, DatabaseError> {
    i64::try_from(number).map_err(|error| DatabaseError::Encode(error.into()))
}
