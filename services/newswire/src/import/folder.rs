//! A folder of Markdown files, searched to its ends.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{draft::Entry, markdown};

/// What a Markdown file's name ends with.
const EXTENSIONS: [&str; 3] = ["md", "markdown", "mdown"];

/// What a folder holds.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// The files, oldest article first, those without a date before them, by name where dates are equal.
    pub(super) files: Vec<PathBuf>,
    /// What could not be looked into.
    pub(super) unreadable: Vec<Entry>,
}

/// Whether `path` is named as a Markdown file is.
pub(super) fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// Looks for Markdown files in and below `path`.
pub(super) fn search(path: &Path) -> Folder {
    let mut folder = Folder::default();
    folder.collect(path);
    folder.files.sort_by_cached_key(|file| (markdown::date(file), file.clone()));
    folder
}

impl Folder {
    fn collect(&mut self, path: &Path) {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => return self.miss(path, &error),
        };
        for entry in entries {
            match entry {
                Ok(entry) => self.take(&entry),
                Err(error) => self.miss(path, &error),
            }
        }
    }

    fn take(&mut self, entry: &fs::DirEntry) {
        let path = entry.path();
        match entry.file_type() {
            // A link to a folder could lead back here.
            Ok(kind) if kind.is_dir() => self.collect(&path),
            Ok(_) if is_markdown(&path) => match fs::metadata(&path) {
                Ok(file) if file.is_file() => self.files.push(path),
                // A folder behind a link, or a pipe, which nobody may ever write to.
                Ok(_) => {}
                Err(error) => self.miss(&path, &error),
            },
            Ok(_) => {}
            Err(error) => self.miss(&path, &error),
        }
    }

    fn miss(&mut self, path: &Path, error: &std::io::Error) {
        self.unreadable.push(Entry::unreadable(path.display().to_string(), error));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn dates_give_the_order_and_names_the_rest() {
        let site = tempfile::tempdir().expect("a folder");
        let site = site.path();
        fs::create_dir(site.join("sub")).expect("created");
        for (name, text) in [
            ("a.md", "---\ndate: 2024-02-01T10:00:00Z\n---\nText"),
            ("b.MARKDOWN", "+++\ndate = 2023-02-01\n+++\nText"),
            ("2024-02-01-c.mdown", "---\ntitle: C\n---\nText"),
            ("sub/d.md", "Text"),
            ("other.txt", "no article"),
        ] {
            fs::write(site.join(name), text).expect("written");
        }
        let names: Vec<_> = search(site)
            .files
            .iter()
            .map(|path| path.strip_prefix(site).expect("below").display().to_string())
            .collect();
        assert_eq!(names, ["sub/d.md", "b.MARKDOWN", "2024-02-01-c.mdown", "a.md"]);
    }

    #[test]
    fn what_cannot_be_looked_into_is_named_and_the_rest_is_found() {
        let site = tempfile::tempdir().expect("a folder");
        let site = site.path();
        fs::write(site.join("a.md"), "Text").expect("written");
        symlink("nowhere", site.join("b.md")).expect("linked");
        symlink(site, site.join("c.md")).expect("linked");
        let mut folder = search(site);
        folder.collect(&site.join("a folder that has just gone"));
        folder.collect(&site.join("a.md"));
        assert_eq!(folder.files, [site.join("a.md")]);
        assert_eq!(folder.unreadable.len(), 3);
    }
}
