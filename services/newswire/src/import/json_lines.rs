//! JSON Lines: an object with an article on each line, from a file or a pipe.

use std::io::{self, BufRead, Read as _};

use serde_json::{Map, Value};
use service_kit::json;

use super::{
    draft::{Draft, Entry, Loss},
    outcome::{Outcome, Reason},
};

/// The longest line. No article is that long, and a line is in memory.
const MAX_LINE: u64 = 8 * 1024 * 1024;

/// The entries of `input`, one at a time. After a line that cannot be read there are no more.
pub(super) fn read(mut input: impl BufRead + Send) -> impl Iterator<Item = Entry> + Send {
    let mut number = 0;
    let mut ended = false;
    std::iter::from_fn(move || {
        while !ended {
            number += 1;
            let place = format!("line {number}");
            match line(&mut input) {
                Ok(None) => break,
                Ok(Some(line)) if line.iter().all(u8::is_ascii_whitespace) => {}
                Ok(Some(line)) => return Some(Entry { place, draft: draft(&line) }),
                Err(error) => {
                    ended = true;
                    return Some(Entry::unreadable(place, &error));
                }
            }
        }
        None
    })
}

/// How many lines of `input` have something in them.
pub(super) fn count(mut input: impl BufRead) -> u64 {
    let mut count = 0;
    while let Ok(Some(line)) = line(&mut input) {
        count += u64::from(!line.iter().all(u8::is_ascii_whitespace));
    }
    count
}

fn line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    input.take(MAX_LINE + 1).read_until(b'\n', &mut line)?;
    if line.len() as u64 > MAX_LINE {
        return Err(io::Error::other(format!("the line has more than {MAX_LINE} bytes")));
    }
    Ok((!line.is_empty()).then_some(line))
}

fn draft(line: &[u8]) -> Result<Draft, Outcome> {
    let object: Map<String, Value> =
        json::read(line).map_err(|error| Outcome::of(Reason::Malformed, error.to_string()))?;
    article(object).map_err(|detail| Outcome::of(Reason::Malformed, detail))
}

fn article(mut object: Map<String, Value>) -> Result<Draft, String> {
    let required = |text: Option<String>, name| text.ok_or(format!("{name} is required"));
    let mut draft = Draft {
        title: required(text(&mut object, "title")?, "title")?,
        content: required(text(&mut object, "content")?, "content")?,
        slug: text(&mut object, "slug")?,
        tags: tags(object.remove("tags"))?,
        losses: Vec::new(),
    };
    let others: Vec<String> = object.into_iter().map(|(name, _)| name).collect();
    if !others.is_empty() {
        draft.losses.push(Loss::Members(others));
    }
    Ok(draft)
}

fn text(object: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name} must be a string")),
    }
}

fn tags(value: Option<Value>) -> Result<Vec<String>, String> {
    let wrong = || "tags must be an array of strings".to_owned();
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(tags)) => {
            tags.iter().map(|tag| tag.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
        }
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_named_and_the_others_are_read() {
        let lines = "{\"title\":\"A\",\"content\":\"B\"}\n\nnonsense\n{\"title\":\"A\"}\n\
                     [\"T\",\"C\"]\n{\"title\":1,\"content\":\"B\"}\n\
                     {\"title\":\"A\",\"title\":\"A\",\"content\":\"B\"}\n{\"title\":\"A\",\"content\":\"B\",\"tags\":\"x\"}";
        assert_eq!(count(lines.as_bytes()), 7);
        let entries: Vec<_> = read(lines.as_bytes()).collect();
        assert!(entries[0].draft.is_ok());
        assert_eq!(entries[1].place, "line 3");
        assert_eq!(entries.iter().filter(|entry| entry.draft.is_err()).count(), 6);
    }

    #[test]
    fn slug_and_tags_are_kept_and_other_members_named() {
        let line = r#"{"title":"A","content":"B","slug":"a","tags":["x"],"id":7}"#;
        let entry = read(line.as_bytes()).next().expect("a line").draft.expect("an article");
        let losses = vec![Loss::Members(vec!["id".to_owned()])];
        let expected = Draft {
            title: "A".to_owned(),
            content: "B".to_owned(),
            slug: Some("a".to_owned()),
            tags: vec!["x".to_owned()],
            losses,
        };
        assert_eq!(entry, expected);
    }

    #[test]
    fn a_line_without_end_is_not_read_into_memory() {
        let endless = io::BufReader::new(io::repeat(b'x'));
        let entries: Vec<_> = read(endless).collect();
        assert_eq!(entries.len(), 1);
        assert!(entries[0].draft.is_err());
    }
}
