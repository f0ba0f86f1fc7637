use eventsourcing::FieldError;
use serde::Deserialize;
use service_kit::Problem;

use crate::reply;

/// The body of a POST or PUT. Members that it does not have are ignored, so a client may send back what it got.
#[derive(Debug, Deserialize)]
pub(crate) struct ArticleBody {
    title: Option<String>,
    content: Option<String>,
    slug: Option<String>,
    tags: Option<Vec<String>>,
}

/// A body with all that must be in it. What the fields must be is the domain's to say.
#[derive(Debug)]
pub(crate) struct CompleteBody {
    pub(crate) title: String,
    pub(crate) content: String,
    pub(crate) slug: Option<String>,
    pub(crate) tags: Option<Vec<String>>,
}

impl ArticleBody {
    /// The body, if title and content are there.
    pub(crate) fn complete(self) -> Result<CompleteBody, Problem> {
        match (self.title, self.content) {
            (Some(title), Some(content)) => {
                Ok(CompleteBody { title, content, slug: self.slug, tags: self.tags })
            }
            (title, content) => {
                let missing = [("title", title.is_none()), ("content", content.is_none())];
                let errors = missing
                    .into_iter()
                    .filter(|(_, missing)| *missing)
                    .map(|(field, _)| FieldError::new(field, "is required"))
                    .collect();
                Err(reply::invalid(errors))
            }
        }
    }
}
