//! Where articles come from: a JSON Lines file, or a folder of Markdown files.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use serde::Deserialize;

/// An article to post.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Draft {
    pub(crate) title: String,
    pub(crate) content: String,
}

/// What was found at a place: an article, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The line or file.
    pub(crate) place: String,
    pub(crate) draft: Result<Draft, String>,
}

/// The entries at `path`, one at a time, and how many there are.
pub(crate) fn open(path: &Path) -> anyhow::Result<(u64, Box<dyn Iterator<Item = Entry> + Send>)> {
    if path.is_dir() {
        let mut files = Vec::new();
        collect(path, &mut files)?;
        files.sort();
        let count = files.len() as u64;
        return Ok((count, Box::new(files.into_iter().map(|file| markdown(&file)))));
    }
    let open = || File::open(path).with_context(|| format!("opening {} failed", path.display()));
    let count = BufReader::new(open()?).split(b'\n').filter(|line| !is_blank(line)).count() as u64;
    let lines = BufReader::new(open()?).split(b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !is_blank(line));
    Ok((count, Box::new(lines.map(|(index, line)| json_line(index + 1, line)))))
}

fn is_blank(line: &std::io::Result<Vec<u8>>) -> bool {
    line.as_ref().is_ok_and(|line| line.iter().all(u8::is_ascii_whitespace))
}

fn json_line(number: usize, line: std::io::Result<Vec<u8>>) -> Entry {
    let draft = line
        .map_err(|error| error.to_string())
        .and_then(|line| serde_json::from_slice(&line).map_err(|error| error.to_string()));
    Entry { place: format!("line {number}"), draft }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let reading = || format!("reading the folder {} failed", folder.display());
    for entry in fs::read_dir(folder).with_context(reading)? {
        let entry = entry.with_context(reading)?;
        let (kind, path) = (entry.file_type().with_context(reading)?, entry.path());
        // A link to a folder could lead back here.
        if kind.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("md")) {
            files.push(path);
        }
    }
    Ok(())
}

fn markdown(path: &Path) -> Entry {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let draft = fs::read_to_string(path)
        .map(|text| split(&text, &name.unwrap_or_default()))
        .map_err(|error| error.to_string());
    Entry { place: path.display().to_string(), draft }
}

/// The first heading is the title and the rest the content; without a heading, the file's name is the title.
fn split(text: &str, name: &str) -> Draft {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (first, rest) = text.trim_start().split_once('\n').unwrap_or((text.trim_start(), ""));
    match first.trim_end().strip_prefix("# ") {
        Some(title) => Draft { title: title.trim().to_owned(), content: rest.trim().to_owned() },
        None => Draft { title: name.to_owned(), content: text.trim().to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_named_and_the_others_are_read() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let lines = "{\"title\":\"A\",\"content\":\"B\"}\n\nnonsense\n{\"title\":\"A\"}\n";
        fs::write(file.path(), lines).expect("written");
        let (count, entries) = open(file.path()).expect("opened");
        let entries: Vec<_> = entries.collect();
        assert_eq!((count, entries.len()), (3, 3));
        assert!(entries[0].draft.is_ok());
        assert_eq!(entries[1].place, "line 3");
        assert!(entries[1].draft.is_err() && entries[2].draft.is_err());
    }

    #[test]
    fn markdown_has_its_title_in_the_heading_or_the_name() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("sub")).expect("created");
        fs::write(folder.path().join("b.md"), "# Title #1\n\nText\n").expect("written");
        fs::write(folder.path().join("sub/name.md"), "Text only").expect("written");
        fs::write(folder.path().join("other.txt"), "no article").expect("written");
        let (count, entries) = open(folder.path()).expect("opened");
        let drafts: Vec<_> = entries.map(|entry| entry.draft.expect("readable")).collect();
        let draft = |title: &str, content: &str| Draft {
            title: title.to_owned(),
            content: content.to_owned(),
        };
        assert_eq!(count, 2);
        assert_eq!(drafts, [draft("Title #1", "Text"), draft("name", "Text only")]);
    }
}
