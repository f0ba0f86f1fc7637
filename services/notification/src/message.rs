//! What a message says.

use email_encoding::headers::{rfc2047, writer::EmailWriter};
use eventsourcing::{RecordedEvent, UserId};
use lettre::{
    Address, Message,
    address::Envelope,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0},
    },
};
use service_kit::settings::SettingsError;

use crate::{address, letter::Letter};

/// Writes messages.
#[derive(Debug, Clone)]
pub(crate) struct Composer {
    from: Mailbox,
    domain: String,
}

/// A message cannot be written, whatever is tried.
pub(crate) type ComposeError = Box<dyn std::error::Error + Send + Sync>;

impl Composer {
    /// A composer that sends as `from`, to addresses in `domain`.
    pub(crate) fn new(from: &str, domain: &str) -> Result<Self, SettingsError> {
        let from = from.parse().map_err(|error| {
            let expected = format!("a mailbox such as \"Name <user@host>\" was expected ({error})");
            SettingsError::wrong("notification.from", expected)
        })?;
        if let Err(error) = format!("user@{domain}").parse::<Mailbox>() {
            let expected = format!("a domain such as example.org was expected ({error})");
            return Err(SettingsError::wrong("notification.mail_domain", expected));
        }
        Ok(Self { from, domain: domain.to_owned() })
    }

    /// Where `user` can be written to; `None` when that is nowhere.
    pub(crate) fn mailbox(&self, user: &UserId) -> Option<Address> {
        address::mailbox(user, &self.domain)
    }

    /// The message with `letter` to the address `to` about `event`. The same event gives the same message.
    ///
    /// It is plain text in UTF-8 (RFC 2045, RFC 2046), and says that no person sent it (RFC 3834).
    pub(crate) fn compose(
        &self,
        event: &RecordedEvent,
        letter: Letter,
        to: Address,
    ) -> Result<Message, ComposeError> {
        let metadata = &event.event.metadata;
        let id = event.event.id;
        // The library would read the addresses back from the headers, where it does not know a quoted local part.
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.clone()])?;
        Ok(Message::builder()
            .envelope(envelope)
            .message_id(Some(format!("<{id}@newswire>")))
            .date(event.event.time.into())
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .raw_header(header("Subject", letter.subject)?)
            .raw_header(header("Auto-Submitted", "auto-generated".to_owned())?)
            .raw_header(header("X-Newswire-Event-Id", id.to_string())?)
            .raw_header(header("X-Correlation-Id", metadata.correlation_id.to_string())?)
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN)
            .body(letter.body)?)
    }
}

/// A header with `value` as its text. The library encodes words that are not ASCII (RFC 2047); an ASCII text that looks
/// like an encoded word would be decoded by its readers, so it is encoded as well.
fn header(name: &'static str, value: String) -> Result<HeaderValue, ComposeError> {
    let header = HeaderName::new_from_ascii_str(name);
    if !value.contains("=?") {
        return Ok(HeaderValue::new(header, value));
    }
    let mut encoded = String::new();
    let begin = name.len() + ": ".len();
    rfc2047::encode(&value, &mut EmailWriter::new(&mut encoded, begin, 0, false))?;
    Ok(HeaderValue::dangerous_new_pre_encoded(header, value, encoded))
}
