//! Links between pages (RFC 8288).

use axum::http::Uri;
use service_kit::http::query_string;

/// The link to the next page: this page's parameters with another cursor.
pub(crate) fn next(uri: &Uri, cursor: &str) -> String {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let is_cursor =
        |pair: &str| query_string::members(pair).is_ok_and(|pair| pair.contains_key("cursor"));
    let kept = pairs.filter(|pair| !is_cursor(pair));
    let pairs: Vec<String> = kept.map(str::to_owned).chain([format!("cursor={cursor}")]).collect();
    format!("<{}?{}>; rel=\"next\"", uri.path(), pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_of_this_page_is_not_in_the_link_to_the_next() {
        for (uri, expected) in [
            ("/a", "</a?cursor=2>; rel=\"next\""),
            ("/a?tag=x&cursor=1&limit=3", "</a?tag=x&limit=3&cursor=2>; rel=\"next\""),
            ("/a?&%63ursor=1&cursors=1", "</a?cursors=1&cursor=2>; rel=\"next\""),
        ] {
            assert_eq!(next(&Uri::from_static(uri), "2"), expected);
        }
    }
}
