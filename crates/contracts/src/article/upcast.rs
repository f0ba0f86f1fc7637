//! From each schema version of an event to the next. Never changed once released: it reads what is stored.

use serde_json::{Map, Value};

/// `article.created` 1 → 2: the first release knew neither slugs nor tags.
pub(super) fn created_1_to_2(data: &mut Map<String, Value>) {
    data.insert("slug".to_owned(), Value::Null);
    data.insert("tags".to_owned(), Value::Array(Vec::new()));
}
