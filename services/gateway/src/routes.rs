//! Every path and method.

use axum::{Router, routing::get};

use crate::{Gateway, activity, articles, authors, operations};

pub(crate) fn routes(gateway: Gateway) -> Router {
    Router::new()
        .route("/api/articles", get(articles::list::list).post(articles::create::create))
        .route(
            "/api/articles/{id}",
            get(articles::get::get).put(articles::update::update).delete(articles::delete::delete),
        )
        .route("/api/articles/{id}/history", get(articles::history::history))
        .route("/api/authors", get(authors::list::list))
        .route("/api/authors/{id}", get(authors::get::get))
        .route("/api/activity", get(activity::activity))
        .route("/api/operations/{id}", get(operations::get::get))
        .with_state(gateway)
}
