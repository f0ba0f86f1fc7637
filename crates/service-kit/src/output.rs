//! What a command says to the person or program that started it.
//!
//! The macros of the standard library panic when nobody can be told: a reader that has gone, a full disk. That must end
//! neither a service nor a command that has work to do.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Standard output does not take the answer.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// Its reader has gone. Nobody misses anything, so a command ends quietly and with success.
    #[error("standard output is closed")]
    Closed,
    /// It cannot be written.
    #[error("writing to standard output failed")]
    Failed(#[source] io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(error),
        }
    }
}

/// Writes `text` and the end of a line to standard output, at once.
pub fn line(text: impl Display) -> Result<(), OutputError> {
    Ok(write(&mut io::stdout().lock(), text)?)
}

/// The same for the report of work that was done: that work counts, also when nobody reads of it any more.
///
/// # Errors
/// Only those that are worth a message; never [`OutputError::Closed`].
pub fn report(text: impl Display) -> Result<(), OutputError> {
    match line(text) {
        Err(OutputError::Closed) => Ok(()),
        written => written,
    }
}

/// Writes `text` and the end of a line to standard error, as far as that is possible.
pub fn complain(text: impl Display) {
    // There is nobody left to tell.
    let _ = write(&mut io::stderr().lock(), text);
}

/// In one piece, so that lines of several threads do not mix.
fn write(to: &mut impl Write, text: impl Display) -> io::Result<()> {
    to.write_all(format!("{text}\n").as_bytes())?;
    to.flush()
}
