use std::collections::BTreeSet;

use axum::extract::State;
use messaging::consumer::{self, DeadLetter, DeadLetterError};
use serde::Serialize;
use service_kit::Problem;
use tokio::time::{Instant, timeout_at};

use super::order::{Order, OrderBody};
use crate::{
    Gateway, cursor, reply,
    request::{Json, NoParameters, Operator, Parameters},
};

/// How many aggregates one request is about.
const MAX_AGGREGATES: usize = 100;

/// What became of it so far.
#[derive(Debug, Default, Serialize)]
pub(super) struct Answer {
    /// How many dead letters are done; in a dry run, how many are chosen.
    redriven: u64,
    /// The aggregates that were not done with; what is left of them stays.
    failing: Vec<Failing>,
    dry_run: bool,
    /// Whether all that was chosen was tried.
    complete: bool,
    /// The cursor of the request that does the rest.
    #[serde(serialize_with = "cursor::serialize")]
    next: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Failing {
    consumer: String,
    subject: String,
    reason: String,
}

/// `POST /api/admin/dead-letters/redrive`: 200 with what became of it. One request tries at most so many aggregates, and
/// begins none after the time that a command may take; `next` says where another one goes on.
pub(crate) async fn redrive(
    State(gateway): State<Gateway>,
    _: Operator,
    Parameters(NoParameters {}): Parameters<NoParameters>,
    Json(body): Json<OrderBody>,
) -> Result<axum::Json<impl Serialize>, Problem> {
    let order = body.order()?;
    let answer = reply::letters(execute(&gateway, &order).await)?;
    tracing::info!(
        redriven = answer.redriven,
        failing = answer.failing.len(),
        dry_run = answer.dry_run,
        complete = answer.complete,
        "an operator had dead letters redriven"
    );
    Ok(axum::Json(answer))
}

/// Aggregate by aggregate, in the order of their oldest dead letters: each is tried once, so that those that fail do
/// not keep the others from being tried.
async fn execute(gateway: &Gateway, order: &Order) -> Result<Answer, DeadLetterError> {
    let end = Instant::now() + gateway.command_timeout;
    let mut answer = Answer { dry_run: order.dry_run, ..Answer::default() };
    let (mut tried, mut cursor) = (BTreeSet::new(), order.cursor);
    loop {
        let chosen = order.filter.page(&gateway.dead_letters, cursor).await?;
        for letter in &chosen.letters {
            let aggregate = (letter.consumer.clone(), letter.message.subject.clone());
            if order.dry_run {
                answer.redriven += 1;
            } else if !tried.contains(&aggregate) {
                let late = !tried.is_empty() && Instant::now() >= end;
                if late || tried.len() == MAX_AGGREGATES {
                    return Ok(Answer { next: Some(cursor), ..answer });
                }
                tried.insert(aggregate);
                answer.add(letter, redrive_aggregate(gateway, letter, end).await);
            }
            cursor = letter.sequence;
        }
        let Some(next) = chosen.next else { return Ok(Answer { complete: true, ..answer }) };
        cursor = next;
        if Instant::now() >= end {
            return Ok(Answer { next: Some(cursor), ..answer });
        }
    }
}

/// All dead letters of the aggregate of `letter`. Its consumer goes on by itself when the time is up; what it told
/// before that counts.
async fn redrive_aggregate(
    gateway: &Gateway,
    letter: &DeadLetter,
    end: Instant,
) -> consumer::Redriven {
    let (name, subject) = (&letter.consumer, &letter.message.subject);
    let mut all = consumer::Redriven::default();
    while all.failure.is_none() {
        if Instant::now() >= end {
            all.failure = Some("the time is up; redriving again is safe".to_owned());
            break;
        }
        let redriving = consumer::redrive(&gateway.connection, name, subject);
        match timeout_at(end, redriving).await {
            Ok(Ok(consumer::Redriven { done: 0, failure: None })) => break,
            Ok(Ok(redriven)) => {
                all.done += redriven.done;
                all.failure = redriven.failure;
            }
            Ok(Err(error)) => all.failure = Some(error.to_string()),
            Err(_) => {
                all.failure = Some(format!("{name} is still at it; redriving again is safe"));
            }
        }
    }
    all
}

impl Answer {
    fn add(&mut self, letter: &DeadLetter, redriven: consumer::Redriven) {
        self.redriven += redriven.done;
        if let Some(reason) = redriven.failure {
            let (consumer, subject) = (letter.consumer.clone(), letter.message.subject.clone());
            self.failing.push(Failing { consumer, subject, reason });
        }
    }
}
