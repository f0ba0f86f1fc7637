//! Where articles come from: JSON Lines in a file or from a pipe, a Markdown file, or a folder of those.

use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
};

use anyhow::Context as _;

use super::{
    draft::Entry,
    folder::{self, Folder},
    json_lines,
    markdown::{self, Reading},
};

/// Stands for standard input.
const STANDARD_INPUT: &str = "-";

/// The entries, one at a time.
pub(crate) struct Source {
    /// How many there are; unknown of a pipe.
    pub(crate) count: Option<u64>,
    pub(crate) entries: Box<dyn Iterator<Item = Entry> + Send>,
}

/// Opens what is at `path`; drafts are read as such, and left out without `drafts`.
pub(crate) fn open(path: &Path, drafts: bool) -> anyhow::Result<Source> {
    if path == Path::new(STANDARD_INPUT) {
        let entries = Box::new(json_lines::read(BufReader::new(io::stdin())));
        return Ok(Source { count: None, entries });
    }
    let opening = || format!("opening {} failed", path.display());
    let kind = std::fs::metadata(path).with_context(opening)?;
    let root = path.to_owned();
    if kind.is_dir() {
        std::fs::read_dir(path).with_context(opening)?;
        let Folder { files, unreadable } = folder::search(path);
        let count = Some((files.len() + unreadable.len()) as u64);
        let read =
            move |file: std::path::PathBuf| markdown::entry(&file, Reading { root: &root, drafts });
        let entries = Box::new(unreadable.into_iter().chain(files.into_iter().map(read)));
        return Ok(Source { count, entries });
    }
    if folder::is_markdown(path) {
        let entry = markdown::entry(path, Reading { root: &root, drafts });
        return Ok(Source { count: Some(1), entries: Box::new(std::iter::once(entry)) });
    }
    let open = || File::open(path).map(BufReader::new).with_context(opening);
    // A pipe can be read only once.
    let count = if kind.is_file() { Some(json_lines::count(open()?)) } else { None };
    Ok(Source { count, entries: Box::new(json_lines::read(open()?)) })
}
