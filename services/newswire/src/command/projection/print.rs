use projection::control::{GenerationStatus, State, Status};
use service_kit::output::{self, OutputError};

/// A line a generation.
pub(super) fn status(status: &Status) -> Result<(), OutputError> {
    let Status { name, version, last_position, .. } = status;
    let mut lines = vec![format!("{name}: version {version}, stream at {last_position}")];
    lines.extend(status.generations.iter().map(|generation| line(generation, status)));
    let live = status.generations.iter().find(|generation| generation.state == State::Live);
    if live.is_some_and(|live| live.version != status.version) {
        lines.push("the live generation is of another version: a rebuild is due".to_owned());
    }
    output::report(lines.join("\n"))
}

/// What is to be said of `generation`.
pub(super) fn line(generation: &GenerationStatus, status: &Status) -> String {
    let position = match generation.position {
        None => "no tables".to_owned(),
        Some(position) => {
            let behind = status.last_position.saturating_sub(position);
            format!("position {position}, {behind} behind")
        }
    };
    let skipped = generation.skipped.filter(|skipped| *skipped > 0);
    let skipped = skipped.map(|skipped| format!("  {skipped} events skipped"));
    let reason = generation.reason.as_ref().map(|reason| format!("  {reason}"));
    format!(
        "{:>4}  {:<8}  version {}  {position}  since {}{}{}",
        generation.number,
        word(generation),
        generation.version,
        generation.changed_at,
        skipped.unwrap_or_default(),
        reason.unwrap_or_default()
    )
}

/// How it is, in a word.
pub(super) fn word(generation: &GenerationStatus) -> &'static str {
    if generation.held {
        return "held";
    }
    match generation.state {
        State::Building => "building",
        State::Live => "live",
        State::Previous => "previous",
        State::Failed => "failed",
    }
}
