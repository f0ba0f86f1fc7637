use eventsourcing::FieldError;
use serde::{Deserialize, de::IgnoredAny};
use service_kit::Problem;

use crate::reply;

/// The body of a POST or PUT. A client may send back an article as it got it, so what only we say of one is passed over;
/// any other member is refused: a slip of the pen in `slug` or `tags` would leave them as they are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArticleBody {
    title: Option<String>,
    content: Option<String>,
    slug: Option<String>,
    tags: Option<Vec<String>>,
    #[serde(rename = "id")]
    _id: Option<IgnoredAny>,
    #[serde(rename = "author_id")]
    _author_id: Option<IgnoredAny>,
    #[serde(rename = "version")]
    _version: Option<IgnoredAny>,
    #[serde(rename = "created_at")]
    _created_at: Option<IgnoredAny>,
    #[serde(rename = "updated_at")]
    _updated_at: Option<IgnoredAny>,
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
