//! Looking after the nats-server: started again when it has died, or when only a restart mends it.
//!
//! After one failed write a stream takes nothing more until the server starts anew. It is left running until something can be
//! written again: until then reads go on.

use std::{path::Path, time::Duration};

use anyhow::anyhow;
use messaging::{Connection, NatsSettings, server};
use metrics::{Unit, counter, describe_counter};
use service_kit::{Health, health::Component};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    EmbeddedNats,
    process::Process,
    room::{self, try_to_write},
};

const RESTARTS: &str = "nats_server_restarts_total";
/// How often it is asked how it is.
const LOOK: Duration = Duration::from_millis(500);
/// How often the room is measured: each so many looks.
const MEASURE_EVERY: u32 = 10;
/// How many looks in a row show that it is sick.
const SICK_LOOKS: u32 = 2;
/// How many questions in a row without an answer, of two seconds each, show that it hangs.
const SILENT_LOOKS: u32 = 5;
/// How long it may take after its start to be well.
const RECOVERY: Duration = Duration::from_mins(1);
/// One that was well for so long has not failed again, but anew.
const SETTLED: Duration = Duration::from_secs(10);
/// How often in a row it is started again.
const MAX_RESTARTS: u32 = 5;
/// The pause before the second restart in a row; each is twice the one before.
const PAUSE: Duration = Duration::from_millis(500);
/// How long one that is sick may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// How often it is tried to write.
const ROOM_PAUSE: Duration = Duration::from_millis(250);

impl EmbeddedNats {
    /// Keeps it running; returns when that is of no use any more, with the reason.
    pub(crate) async fn supervise(&mut self, health: &Health) -> anyhow::Error {
        room::describe();
        describe_counter!(RESTARTS, Unit::Count, "Times that nats-server was started again");
        let component = health.component("nats-server");
        let (mut restarts, mut was_well) = (0, false);
        loop {
            let started = Instant::now();
            let system = self.system();
            let watching = watch(&system, &self.plan.dir, &component, &mut was_well);
            let reason = tokio::select! {
                reason = self.process.ended() => reason,
                reason = watching => reason,
            };
            if !was_well {
                return anyhow!(reason);
            }
            component.not_ready(reason.as_str());
            tracing::error!(reason, "nats-server has failed and is started again");
            let waited = wait_for_room(&self.plan.dir).await;
            if waited || started.elapsed() >= SETTLED {
                restarts = 0;
            }
            restarts += 1;
            if restarts > MAX_RESTARTS {
                return anyhow!("nats-server failed again after {MAX_RESTARTS} restarts: {reason}");
            }
            if restarts > 1 {
                sleep(PAUSE * 2_u32.pow(restarts - 2)).await;
            }
            counter!(RESTARTS).increment(1);
            self.process.stop(STOP_PATIENCE).await;
            match Process::start(&self.plan).await {
                Ok(process) => self.process = process,
                Err(error) => return error.context("starting nats-server again failed"),
            }
        }
    }
}

/// Waits until something can be written in `dir`; says whether that was not so at once.
async fn wait_for_room(dir: &Path) -> bool {
    let mut waited = false;
    while let Err(error) = try_to_write(dir) {
        if !waited {
            tracing::error!(%error, folder = %dir.display(), "waiting until something can be written");
        }
        waited = true;
        sleep(ROOM_PAUSE).await;
    }
    waited
}

/// Asks the server how it is until only a restart can mend it; tells why.
async fn watch(
    system: &NatsSettings,
    dir: &Path,
    component: &Component,
    was_well: &mut bool,
) -> String {
    let stop = CancellationToken::new();
    let connection = match Connection::open(system, "system", &stop).await {
        Ok(Some(connection)) => connection,
        Ok(None) => return std::future::pending().await,
        Err(error) => return format!("nats-server does not take its system user: {error}"),
    };
    let opened = Instant::now();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut well, mut sick, mut silent) = (0_u32, 0, 0);
    loop {
        looks.tick().await;
        let reason = match server::health(&connection).await {
            Ok(found) => found.error,
            Err(error) => {
                silent += 1;
                if silent >= SILENT_LOOKS && connection.is_connected() {
                    return format!("nats-server does not answer: {error}");
                }
                continue;
            }
        };
        silent = 0;
        let Some(reason) = reason else {
            (sick, *was_well) = (0, true);
            if well.is_multiple_of(MEASURE_EVERY)
                && let Ok(store) = server::store(&connection).await
            {
                component.set(room::state(dir, store));
            }
            well = well.wrapping_add(1);
            continue;
        };
        sick += 1;
        component.not_ready(reason.as_str());
        // What recovers is not well yet.
        if sick >= SICK_LOOKS && (well > 0 || opened.elapsed() > RECOVERY) {
            return reason;
        }
        well = well.min(1) * MEASURE_EVERY;
    }
}
