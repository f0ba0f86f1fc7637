//! Every path and method.

use axum::{
    Router, middleware,
    routing::{get, post},
};

use crate::{Gateway, activity, articles, authors, comments, dead_letters, operations, request};

pub(crate) fn routes(gateway: Gateway) -> Router {
    Router::new()
        .route("/api/articles", get(articles::list::list).post(articles::create::create))
        .route(
            "/api/articles/{id}",
            get(articles::get::get).put(articles::update::update).delete(articles::delete::delete),
        )
        .route("/api/articles/{id}/history", get(articles::history::history))
        .route("/api/articles/{id}/comments", get(comments::list::list).post(comments::add::add))
        .route(
            "/api/articles/{id}/comments/{number}",
            get(comments::get::get).delete(comments::delete::delete),
        )
        .route("/api/articles/{id}/comments/{number}/history", get(comments::history::history))
        .route("/api/authors", get(authors::list::list))
        .route("/api/authors/{id}", get(authors::get::get))
        .route("/api/activity", get(activity::activity))
        .route("/api/operations/{id}", get(operations::get::get))
        .route("/api/admin/dead-letters", get(dead_letters::list::list))
        .route("/api/admin/dead-letters/redrive", post(dead_letters::redrive::redrive))
        .route("/api/admin/dead-letters/drop", post(dead_letters::discard::discard))
        .route(
            "/api/admin/dead-letters/{number}",
            get(dead_letters::get::get).delete(dead_letters::delete::delete),
        )
        .layer(middleware::from_fn(request::answer_reads))
        .with_state(gateway)
}
