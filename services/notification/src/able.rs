//! Whether the service can do its work now: record, and send.

use std::{convert::Infallible, sync::Arc, time::Duration};

use service_kit::health::{Component, State};

use crate::{delivery::Delivery, record::Record};

/// How often the record is tried, and a delivery that failed.
const OFTEN: Duration = Duration::from_secs(2);

/// Keeps the two components up to date until it is dropped.
pub(crate) async fn watch(
    record: &Record,
    recording: &Component,
    delivery: &Arc<Delivery>,
    sending: &Component,
) -> Infallible {
    tokio::join!(watch_record(record, recording), watch_delivery(delivery, sending)).0
}

async fn watch_record(record: &Record, component: &Component) -> Infallible {
    loop {
        let problem = record.probe().await.err();
        let problem = problem.map(|error| format!("the record cannot be written: {error}"));
        component.set(State::unless(problem));
        tokio::time::sleep(OFTEN).await;
    }
}

/// A failed delivery is a reason to look, and not a reason to be unready: one message may be to blame.
async fn watch_delivery(delivery: &Delivery, component: &Component) -> Infallible {
    loop {
        let problem = delivery.probe().await.err();
        let pause = if problem.is_some() { OFTEN } else { delivery.probe_interval() };
        component.set(State::unless(problem));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = delivery.failed() => {}
        }
    }
}
