use std::collections::HashMap;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use contracts::comment::{CommentRef, CommentRefusal, FindComment};
use eventsourcing::{AggregateId, QueryEnvelope, QueryReply, Refusal, RefusalKind};
use service_kit::Problem;

use crate::{Gateway, reply};

/// The `{number}` of a path.
#[derive(Debug)]
pub(crate) struct Number(pub(crate) u64);

impl<S: Send + Sync> FromRequestParts<S> for Number {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let number = path.ok().and_then(|Path(mut path)| path.remove("number")).unwrap_or_default();
        let number = number.parse().map(Self);
        number.map_err(|_| reply::invalid_field("number", "must be a whole number"))
    }
}

/// The comment with `number` on the article, also when it is deleted. `ask` makes the query.
pub(crate) async fn find(
    gateway: &Gateway,
    (article_id, number): (AggregateId, u64),
    ask: impl Fn(FindComment) -> QueryEnvelope<FindComment>,
) -> Result<CommentRef, Problem> {
    let query = ask(FindComment { article_id, number });
    let found = gateway.queries.ask(&query).await;
    let refusal = match &found {
        // A number is a position: one that the read model has yet to reach may be that of a comment that was added just now.
        Ok(QueryReply::Refused(refusal)) if refusal.position.is_some_and(|seen| seen < number) => {
            let query = QueryEnvelope { min_position: Some(number), ..query };
            match gateway.queries.ask(&query).await {
                // The stream never gave it out.
                Ok(QueryReply::Refused(refusal)) if refusal.kind == RefusalKind::Conflict => {
                    Refusal::from(CommentRefusal::NotFound)
                }
                found => return reply::answered(found).map(|answer| answer.data),
            }
        }
        _ => return reply::answered(found).map(|answer| answer.data),
    };
    Err(reply::refused(refusal))
}
