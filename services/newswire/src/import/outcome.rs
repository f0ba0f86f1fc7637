//! What can become of an article.

/// What became of an article, and what there is to say about that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) reason: Reason,
    /// For a person; may be empty.
    pub(crate) detail: String,
}

impl Outcome {
    /// An outcome for `reason`.
    pub(crate) fn of(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// Every outcome that there is, in the order in which they are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// It is there now, or would be without `--dry-run`.
    Created,
    /// An earlier import created it.
    AlreadyThere,
    /// An earlier import created it, with another slug or other tags.
    ThereOtherwise,
    /// An earlier import created it, and it was deleted since.
    DeletedMeanwhile,
    /// It says that it is a draft.
    Draft,
    /// It describes a section of the site.
    Section,
    /// The input is not what was expected.
    Malformed,
    /// There is no text in it.
    Empty,
    /// Its content is longer than an article may be.
    TooLong,
    /// Another article has its slug.
    SlugTaken,
    /// It breaks another rule.
    Rule,
    /// A file, folder or line cannot be read.
    Unreadable,
    /// Nobody knows whether it is there.
    Unsettled,
}

/// The sums in which an outcome is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Created,
    AlreadyThere,
    DeletedMeanwhile,
    LeftOut,
    Refused,
    Failed,
}

impl Reason {
    /// Where it is counted.
    pub(crate) fn class(self) -> Class {
        match self {
            Self::Created => Class::Created,
            Self::AlreadyThere | Self::ThereOtherwise => Class::AlreadyThere,
            Self::DeletedMeanwhile => Class::DeletedMeanwhile,
            Self::Draft | Self::Section => Class::LeftOut,
            Self::Malformed | Self::Empty | Self::TooLong | Self::SlugTaken | Self::Rule => {
                Class::Refused
            }
            Self::Unreadable | Self::Unsettled => Class::Failed,
        }
    }

    /// In words; `None` for what is only counted.
    pub(crate) fn text(self) -> Option<&'static str> {
        match self {
            Self::Created | Self::AlreadyThere => None,
            Self::ThereOtherwise => Some("already there, with another slug or other tags"),
            Self::DeletedMeanwhile => Some("deleted since an earlier import"),
            Self::Draft => Some("drafts; --drafts imports them"),
            Self::Section => Some("pages of sections"),
            Self::Malformed => Some("not in the form that was expected"),
            Self::Empty => Some("without content"),
            Self::TooLong => Some("too long"),
            Self::SlugTaken => Some("slug taken"),
            Self::Rule => Some("against a rule for articles"),
            Self::Unreadable => Some("cannot be read"),
            Self::Unsettled => Some("not settled; importing again may help"),
        }
    }
}

impl Class {
    /// The word before each name.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::AlreadyThere => "already there",
            Self::DeletedMeanwhile => "deleted",
            Self::LeftOut => "left out",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}
