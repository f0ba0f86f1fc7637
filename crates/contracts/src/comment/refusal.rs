use eventsourcing::{FieldError, Refusal, RefusalKind};

/// Every rule about comments that can say no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommentRefusal {
    /// The input breaks a rule on its own.
    Invalid(Vec<FieldError>),
    /// No comment on the article has this number.
    NotFound,
    /// The comment was taken back.
    Deleted,
    /// Only its author or an editor takes a comment back.
    NotTheAuthor,
    /// A comment with this id exists.
    AlreadyExists,
}

impl From<CommentRefusal> for Refusal {
    fn from(refusal: CommentRefusal) -> Self {
        use RefusalKind::{Conflict, Forbidden, Gone, NotFound};
        match refusal {
            CommentRefusal::Invalid(errors) => Self::invalid(errors),
            CommentRefusal::NotFound => {
                Self::new(NotFound, "comment-not-found", "there is no comment with this number")
            }
            CommentRefusal::Deleted => {
                Self::new(Gone, "comment-deleted", "the comment was deleted")
            }
            CommentRefusal::NotTheAuthor => Self::new(
                Forbidden,
                "not-the-author",
                "only the author of a comment or an editor may delete it",
            ),
            CommentRefusal::AlreadyExists => {
                Self::new(Conflict, "comment-exists", "a comment with this id exists")
            }
        }
    }
}
