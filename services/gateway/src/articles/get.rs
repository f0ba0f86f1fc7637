use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use contracts::article::{At, CONTEXT, GetArticle, GetArticleAt};
use eventsourcing::AggregateId;
use serde::Deserialize;
use service_kit::Problem;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    Gateway, reply,
    request::{Id, Read, number},
};

/// The query string: at most one of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetParameters {
    version: Option<String>,
    as_of: Option<String>,
}

impl GetParameters {
    fn at(self) -> Result<Option<At>, Problem> {
        match (self.version, self.as_of) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                Err(reply::invalid_field("as_of", "must not be sent together with version"))
            }
            (version, None) => {
                Ok(number("version", version, "must be a whole number")?.map(At::Version))
            }
            (None, Some(time)) => OffsetDateTime::parse(&time, &Rfc3339)
                .map(|time| Some(At::AsOf(time)))
                .map_err(|_| reply::invalid_field("as_of", "must be a time as in RFC 3339")),
        }
    }
}

/// `GET /api/articles/{id}`: 200 with the article; with `?version=N` or `?as_of=TIME` as it was.
pub(crate) async fn get(
    State(gateway): State<Gateway>,
    Read(request, parameters): Read<GetParameters>,
    Id(id): Id<AggregateId>,
) -> Result<Response, Problem> {
    let answer = match parameters.at()? {
        None => reply::answered(gateway.queries.ask(&request.query(GetArticle { id })).await)?,
        Some(at) => reply::told(
            CONTEXT,
            gateway.queries.ask(&request.query(GetArticleAt { id, at })).await,
        )?,
    };
    let etag = [(header::ETAG, reply::etag(answer.data.version))];
    Ok((etag, reply::position(&answer), axum::Json(answer.data)).into_response())
}
