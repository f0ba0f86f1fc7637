use axum::extract::State;
use messaging::consumer::DeadLetterError;
use serde::Serialize;
use service_kit::Problem;
use tokio::time::Instant;

use super::order::{Order, OrderBody};
use crate::{
    Gateway, cursor, reply,
    request::{Json, NoParameters, Operator, Parameters},
};

/// What became of it so far.
#[derive(Debug, Default, Serialize)]
pub(super) struct Answer {
    /// How many are gone; in a dry run, how many are chosen.
    dropped: u64,
    dry_run: bool,
    /// Whether all that was chosen is gone.
    complete: bool,
    /// The cursor of the request that does the rest.
    #[serde(serialize_with = "cursor::serialize")]
    next: Option<u64>,
}

/// `POST /api/admin/dead-letters/drop`: 200, and the chosen ones are gone for good. One request takes no longer than a
/// command may; `next` says where another one goes on.
pub(crate) async fn discard(
    State(gateway): State<Gateway>,
    _: Operator,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    Json(body): Json<OrderBody>,
) -> Result<axum::Json<impl Serialize>, Problem> {
    let order = body.order()?;
    let answer = reply::letters(execute(&gateway, &order).await)?;
    tracing::info!(
        dropped = answer.dropped,
        dry_run = answer.dry_run,
        complete = answer.complete,
        "an operator dropped dead letters"
    );
    Ok(axum::Json(answer))
}

async fn execute(gateway: &Gateway, order: &Order) -> Result<Answer, DeadLetterError> {
    let end = Instant::now() + gateway.command_timeout;
    let mut answer = Answer { dry_run: order.dry_run, ..Answer::default() };
    let mut cursor = order.cursor;
    loop {
        let chosen = order.filter.page(&gateway.dead_letters, cursor).await?;
        for letter in &chosen.letters {
            // One that is gone already was somebody else's.
            if order.dry_run || gateway.dead_letters.remove(letter.sequence).await? {
                answer.dropped += 1;
            }
            cursor = letter.sequence;
            if Instant::now() >= end {
                return Ok(Answer { next: Some(cursor), ..answer });
            }
        }
        let Some(next) = chosen.next else { return Ok(Answer { complete: true, ..answer }) };
        cursor = next;
        if Instant::now() >= end {
            return Ok(Answer { next: Some(cursor), ..answer });
        }
    }
}
