use std::fmt::Write as _;

use messaging::consumer::DeadLetter;
use time::format_description::well_known::Rfc3339;

/// A dead letter on a line.
pub(super) fn line(letter: &DeadLetter) -> String {
    let DeadLetter { sequence, consumer, reason, message, .. } = letter;
    let kind = message.headers.get("ce-type").map_or("-", |value| value.as_str());
    let (time, position, subject) = (time(letter), message.position, &message.subject);
    format!("{sequence} {time} {consumer} {position} {kind} {subject} {reason}")
}

/// All of a dead letter.
pub(super) fn whole(letter: &DeadLetter) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "number:   {}", letter.sequence)?;
    writeln!(text, "time:     {}", time(letter))?;
    writeln!(text, "consumer: {}", letter.consumer)?;
    writeln!(text, "reason:   {}", letter.reason)?;
    writeln!(text, "subject:  {}", letter.message.subject)?;
    writeln!(text, "position: {}", letter.message.position)?;
    let mut headers: Vec<String> = letter
        .message
        .headers
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}: {value}")))
        .collect();
    headers.sort_unstable();
    for header in headers {
        writeln!(text, "  {header}")?;
    }
    writeln!(text)?;
    // Whatever it is: control characters of a stranger's message do not belong on a terminal.
    let body = String::from_utf8_lossy(&letter.message.payload);
    let seen = |char: char| char == '\n' || char == '\t' || !char.is_control();
    text.extend(body.chars().map(|char| if seen(char) { char } else { '\u{fffd}' }));
    Ok(text)
}

fn time(letter: &DeadLetter) -> String {
    letter.time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| "-".to_owned())
}
