use eventsourcing::Reply;
use messaging::{Operation, queue::Outcome};
use serde_json::{Map, Value, json};
use service_kit::Problem;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::reply;

/// An operation in JSON: `status` is `pending`; `done` with `result`, `version` and `position`; or `refused` or
/// `failed` with the `problem` that the command would have been answered with.
pub(super) fn view(operation: &Operation) -> Value {
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("id", json!(operation.id));
    set("command", json!(operation.command));
    set("created_at", time(operation.created_at));
    let Some(Outcome { finished_at, reply }) = &operation.outcome else {
        set("status", json!("pending"));
        return Value::Object(members);
    };
    set("finished_at", time(*finished_at));
    match reply {
        Some(Reply::Accepted(accepted)) => {
            set("status", json!("done"));
            set("aggregate_id", json!(accepted.aggregate_id));
            set("version", json!(accepted.version));
            set("position", json!(accepted.position));
            if let Some(stream) = accepted.stream {
                set("stream", json!(stream));
            }
            set("result", accepted.state.clone());
        }
        Some(Reply::Refused(refusal)) => {
            set("status", json!("refused"));
            set("problem", reply::refused(refusal.clone()).body());
        }
        None => {
            set("status", json!("failed"));
            set("problem", Problem::internal().body());
        }
    }
    Value::Object(members)
}

fn time(time: OffsetDateTime) -> Value {
    time.format(&Rfc3339).map_or(Value::Null, Value::String)
}
