use messaging::consumer::DeadLetter;
use time::format_description::well_known::Rfc3339;

/// A dead letter on a line.
pub(super) fn line(letter: &DeadLetter) {
    let DeadLetter { sequence, consumer, reason, message, .. } = letter;
    let kind = message.headers.get("ce-type").map_or("-", |value| value.as_str());
    let (time, position, subject) = (time(letter), message.position, &message.subject);
    println!("{sequence} {time} {consumer} {position} {kind} {subject} {reason}");
}

/// All of a dead letter.
pub(super) fn whole(letter: &DeadLetter) {
    println!("number:   {}", letter.sequence);
    println!("time:     {}", time(letter));
    println!("consumer: {}", letter.consumer);
    println!("reason:   {}", letter.reason);
    println!("subject:  {}", letter.message.subject);
    println!("position: {}", letter.message.position);
    let mut headers: Vec<String> = letter
        .message
        .headers
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| format!("{name}: {value}")))
        .collect();
    headers.sort_unstable();
    for header in headers {
        println!("  {header}");
    }
    println!();
    // Whatever it is: control characters of a stranger's message do not belong on a terminal.
    let body = String::from_utf8_lossy(&letter.message.payload);
    let seen = |char: char| char == '\n' || char == '\t' || !char.is_control();
    println!(
        "{}",
        body.chars().map(|char| if seen(char) { char } else { '\u{fffd}' }).collect::<String>()
    );
}

fn time(letter: &DeadLetter) -> String {
    letter.time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| "-".to_owned())
}
