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
