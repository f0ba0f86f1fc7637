use eventsourcing::FieldError;
use serde::Deserialize;
use service_kit::Problem;

use crate::reply;

/// The body of a POST or PUT. Members that it does not have are ignored, so a client may send back what it got.
#[derive(Debug, Deserialize)]
pub(crate) struct ArticleBody {
    title: Option<String>,
    content: Option<String>,
}

impl ArticleBody {
    /// Title and content, both there. What they must be is the domain's to say.
    pub(crate) fn complete(self) -> Result<(String, String), Problem> {
        match (self.title, self.content) {
            (Some(title), Some(content)) => Ok((title, content)),
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
