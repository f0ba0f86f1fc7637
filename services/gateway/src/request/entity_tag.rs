//! Entity tags (RFC 9110, 8.8.3) and lists of them.

/// An entity tag as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntityTag {
    pub(super) is_weak: bool,
    /// What is between the quotes. Octets: it may hold more than ASCII.
    opaque: Vec<u8>,
}

impl EntityTag {
    /// The tag that `text` is, if it is one and nothing else.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        Self::split(text).filter(|(_, rest)| rest.is_empty()).map(|(tag, _)| tag)
    }

    /// The tag that `text` begins with, and what follows.
    fn split(text: &[u8]) -> Option<(Self, &[u8])> {
        let strong = text.strip_prefix(b"W/");
        let quoted = strong.unwrap_or(text).strip_prefix(b"\"")?;
        let end = quoted.iter().position(|octet| *octet == b'"')?;
        let opaque = &quoted[..end];
        let is_tag = opaque.iter().all(|octet| matches!(octet, 0x21 | 0x23..=0x7e | 0x80..));
        let tag = Self { is_weak: strong.is_some(), opaque: opaque.to_vec() };
        is_tag.then_some((tag, &quoted[end + 1..]))
    }

    /// The strong comparison: the same, and neither is weak (RFC 9110, 8.8.3.2).
    pub(super) fn is_same(&self, other: &Self) -> bool {
        !self.is_weak && !other.is_weak && self.is_like(other)
    }

    /// The weak comparison: the same, whether weak or not.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }

    /// The version whose tag has the same text, which is written in one way only.
    pub(super) fn version(&self) -> Option<u64> {
        let text = str::from_utf8(&self.opaque).ok()?;
        let version = text.parse().ok().filter(|version: &u64| *version > 0)?;
        (version.to_string() == text).then_some(version)
    }
}

/// What a field with a precondition names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tags {
    /// `*`: whatever is there.
    Any,
    /// At least one.
    Listed(Vec<EntityTag>),
}

impl Tags {
    /// Reads all lines of a field, which are one list (RFC 9110, 5.3); `None` when they are not a list of tags.
    pub(super) fn read<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let lines: Vec<&[u8]> = lines.map(<[u8]>::trim_ascii).collect();
        if lines == [b"*"] {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        for line in lines {
            let mut rest = line;
            // Elements may be empty (RFC 9110, 5.6.1.2).
            while !rest.is_empty() {
                if let Some(after) = rest.strip_prefix(b",") {
                    rest = after.trim_ascii_start();
                    continue;
                }
                let (tag, after) = EntityTag::split(rest)?;
                rest = after.trim_ascii_start();
                if !(rest.is_empty() || rest.starts_with(b",")) {
                    return None;
                }
                tags.push(tag);
            }
        }
        (!tags.is_empty()).then_some(Self::Listed(tags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Option<Tags> {
        Tags::read(lines.iter().map(|line| line.as_bytes()))
    }

    fn tag(text: &str) -> EntityTag {
        EntityTag::parse(text.as_bytes()).expect("a tag")
    }

    #[test]
    fn all_lines_are_one_list() {
        let expected = ["\"1\"", "W/\"a,b\"", "\"\"", "\"é\""].map(tag).to_vec();
        for lines in [
            &["\"1\", W/\"a,b\" ,\"\",\"é\""][..],
            &["\"1\"", "W/\"a,b\"", "\"\", \"é\""],
            &[" , \"1\",,\tW/\"a,b\",", "", "\"\",\"é\" "],
        ] {
            assert_eq!(read(lines), Some(Tags::Listed(expected.clone())), "{lines:?}");
        }
        assert_eq!(read(&[" * "]), Some(Tags::Any));
    }

    #[test]
    fn what_is_no_list_of_tags_is_none() {
        for lines in [
            &[""][..],
            &[","],
            &["1"],
            &["\"1"],
            &["w/\"1\""],
            &["W/ \"1\""],
            &["\"1\" \"2\""],
            &["\"a b\""],
            &["*, \"1\""],
            &["*", "*"],
            &["\"1\"", "2"],
        ] {
            assert_eq!(read(lines), None, "{lines:?}");
        }
    }

    /// The table of RFC 9110, 8.8.3.2.
    #[test]
    fn tags_are_compared_strongly_and_weakly() {
        for (one, other, is_same, is_like) in [
            ("W/\"1\"", "W/\"1\"", false, true),
            ("W/\"1\"", "W/\"2\"", false, false),
            ("W/\"1\"", "\"1\"", false, true),
            ("\"1\"", "\"1\"", true, true),
        ] {
            let (one, other) = (tag(one), tag(other));
            assert_eq!((one.is_same(&other), one.is_like(&other)), (is_same, is_like));
        }
    }

    #[test]
    fn a_version_is_written_in_one_way() {
        assert_eq!(tag("\"10\"").version(), Some(10));
        for other in ["\"01\"", "\"+1\"", "\"0\"", "\"-1\"", "\"\"", "\"1.0\"", "\"é\""] {
            assert_eq!(tag(other).version(), None, "{other}");
        }
    }
}
