//! The session of whoever writes.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use crate::model::DatabaseError;

/// A session of whoever holds the lease, or would like to. The server ends it, and with it its lock, when the process
/// ends, however that happens.
#[derive(Debug)]
pub(super) struct Session {
    connection: PgConnection,
    pub(super) locked: bool,
}

impl Session {
    pub(super) async fn open(options: &PgConnectOptions) -> Result<Self, DatabaseError> {
        let connection = PgConnection::connect_with(options).await?;
        Ok(Self { connection, locked: false })
    }

    pub(super) async fn lease(
        &mut self,
        catalog: &str,
        holder: Uuid,
        duration: Duration,
    ) -> Result<Option<i64>, DatabaseError> {
        if !self.locked {
            self.locked = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtext($1))")
                .bind(format!("{catalog}.lease"))
                .fetch_one(&mut self.connection)
                .await?;
        }
        sqlx::query_scalar(
            "INSERT INTO lease AS old (one, holder, locked, epoch, ends)
             VALUES (1, $1, $3, 1, clock_timestamp() + make_interval(secs => $2))
             ON CONFLICT (one) DO UPDATE
             SET epoch = old.epoch + CASE WHEN old.holder = $1 THEN 0 ELSE 1 END, holder = $1, locked = $3,
                 ends = clock_timestamp() + make_interval(secs => $2)
             WHERE old.holder = $1 OR old.ends < clock_timestamp() OR (old.locked AND $3)
             RETURNING epoch",
        )
        .bind(holder)
        .bind(duration.as_secs_f64())
        .bind(self.locked)
        .fetch_optional(&mut self.connection)
        .await
    }
}
