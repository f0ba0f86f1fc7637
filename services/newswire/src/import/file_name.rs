//! What a file's name says where a site generator reads names: `2024-01-31-title.md` of Jekyll, `title/index.md` of Hugo
//! and Zola.

use std::path::Path;

/// The parts of a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileName {
    /// `2024-01-31`
    pub(super) date: Option<String>,
    /// The name without date and extension; the folder's name for `index.md`.
    pub(super) stem: String,
}

/// The name of the file without its extension.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What the name of `path` says.
pub(super) fn read(path: &Path) -> FileName {
    let mut stem = stem(path);
    if stem == "index"
        && let Some(folder) = path.parent().and_then(Path::file_name)
    {
        stem = folder.to_string_lossy().into_owned();
    }
    match stem.split_at_checked(10) {
        Some((date, rest)) if is_date(date) && rest.starts_with(['-', '_']) && rest.len() > 1 => {
            FileName { date: Some(date.to_owned()), stem: rest[1..].to_owned() }
        }
        _ => FileName { date: None, stem },
    }
}

/// Whether `text` begins as `2024-01-31` does.
pub(super) fn is_date(text: &str) -> bool {
    let digit = |(index, byte): (usize, &u8)| match index {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() >= 10 && text.as_bytes()[..10].iter().enumerate().all(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_and_folder_are_told_from_the_rest() {
        for (path, date, stem) in [
            ("_posts/2024-01-31-first-light.md", Some("2024-01-31"), "first-light"),
            ("post/first/index.md", None, "first"),
            ("post/2024-01-31-first/index.md", Some("2024-01-31"), "first"),
            ("2024-01-31.md", None, "2024-01-31"),
            ("größe-und-mehr.md", None, "größe-und-mehr"),
        ] {
            let expected = FileName { date: date.map(str::to_owned), stem: stem.to_owned() };
            assert_eq!(read(Path::new(path)), expected);
        }
    }
}
