use eventsourcing::{FieldError, Refusal, RefusalKind};

/// Every rule about articles that can say no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArticleRefusal {
    /// The input breaks a rule on its own.
    Invalid(Vec<FieldError>),
    /// No article has this id.
    NotFound,
    /// The article was taken down.
    Deleted,
    /// Only its author or an editor changes an article.
    NotTheAuthor,
    /// An article with this id exists.
    AlreadyExists,
    /// Nobody with this id has created an article.
    NoAuthor,
}

impl From<ArticleRefusal> for Refusal {
    fn from(refusal: ArticleRefusal) -> Self {
        use RefusalKind::{Conflict, Forbidden, Gone, NotFound};
        match refusal {
            ArticleRefusal::Invalid(errors) => Self::invalid(errors),
            ArticleRefusal::NotFound => {
                Self::new(NotFound, "article-not-found", "there is no article with this id")
            }
            ArticleRefusal::Deleted => {
                Self::new(Gone, "article-deleted", "the article was deleted")
            }
            ArticleRefusal::NotTheAuthor => Self::new(
                Forbidden,
                "not-the-author",
                "only its author or an editor may change an article",
            ),
            ArticleRefusal::AlreadyExists => {
                Self::new(Conflict, "article-exists", "an article with this id exists already")
            }
            ArticleRefusal::NoAuthor => {
                Self::new(NotFound, "author-not-found", "there is no author with this id")
            }
        }
    }
}
