//! Which generations there are, and the lease.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::{PostgresDatabase, PostgresTables, frame, in_schema, in_time, session::Session};
use crate::{
    catalog::{Database, Generation, GenerationRow, State},
    model::{DatabaseError, ReadModel, Schema},
    tables::{Tables as _, migrations},
    time::now,
};

impl<M: ReadModel> PostgresDatabase<M> {
    /// A transaction for preparations, which replicas that start at once make one after another.
    async fn locked(&self) -> Result<Transaction<'static, Postgres>, DatabaseError> {
        let mut transaction = self.catalog.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext($1))")
            .bind(Self::catalog())
            .execute(&mut *transaction)
            .await?;
        Ok(transaction)
    }

    /// Makes `schema`, unless it is there. Of two that do so at once, one would fail without the lock.
    async fn make(&self, schema: &str) -> Result<(), DatabaseError> {
        let mut transaction = self.locked().await?;
        // Its name is ours: letters and a number.
        sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS {schema}")))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }
}

impl<M: Schema<Postgres>> Database for PostgresDatabase<M> {
    type Model = M;
    type Tables = PostgresTables<M>;

    async fn prepare(&self, version: i64) -> Result<(), DatabaseError> {
        self.make(&Self::catalog()).await?;
        migrations(sqlx::migrate!("migrations/postgres/catalog")).run(&self.catalog).await?;
        let mut transaction = self.locked().await?;
        // A conflict of two replicas would use up a number all the same.
        sqlx::query(
            "INSERT INTO generations (version, state, changed_at)
             SELECT $1, 'live', $2 WHERE NOT EXISTS (SELECT FROM generations)",
        )
        .bind(version)
        .bind(now())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    async fn generations(&self) -> Result<Vec<Generation>, DatabaseError> {
        let look = async {
            let mut slot = self.looks.lock().await;
            let mut connection = match slot.take() {
                Some(connection) => connection,
                None => {
                    PgConnection::connect_with(&in_schema(&self.options, &Self::catalog())).await?
                }
            };
            let rows: Vec<GenerationRow> =
                sqlx::query_as("SELECT * FROM generations ORDER BY number")
                    .fetch_all(&mut connection)
                    .await?;
            *slot = Some(connection);
            rows.into_iter().map(Generation::try_from).collect()
        };
        in_time(look).await
    }

    async fn add(
        &self,
        version: i64,
        held: bool,
        verified: bool,
    ) -> Result<Option<i32>, DatabaseError> {
        sqlx::query_scalar(
            "INSERT INTO generations (version, state, held, verified, changed_at)
             VALUES ($1, 'building', $2, $3, $4) ON CONFLICT DO NOTHING RETURNING number",
        )
        .bind(version)
        .bind(held)
        .bind(verified)
        .bind(now())
        .fetch_optional(&self.catalog)
        .await
    }

    async fn change(
        &self,
        number: i32,
        from: State,
        to: State,
        reason: Option<&str>,
    ) -> Result<bool, DatabaseError> {
        let changed = sqlx::query(
            "UPDATE generations
             SET state = CASE WHEN was_live AND $1 = 'failed' THEN 'previous' ELSE $1 END,
                 held = FALSE, verified = FALSE, reason = $2, changed_at = $3
             WHERE number = $4 AND state = $5",
        )
        .bind(to.name())
        .bind(reason)
        .bind(now())
        .bind(number)
        .bind(from.name())
        .execute(&self.catalog)
        .await;
        match changed {
            Ok(changed) => Ok(changed.rows_affected() == 1),
            Err(DatabaseError::Database(error)) if error.is_unique_violation() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn hold(
        &self,
        number: i32,
        held: bool,
        reason: Option<&str>,
    ) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE generations SET held = $1, reason = $2 WHERE number = $3 AND state = 'building'",
        )
        .bind(held)
        .bind(reason)
        .bind(number)
        .execute(&self.catalog)
        .await?;
        Ok(())
    }

    async fn switch(&self, from: i32, to: i32, epoch: i64) -> Result<bool, DatabaseError> {
        let mut transaction = self.catalog.begin().await?;
        // Everything else about the read model can be made again, but not who was told which generation is live.
        sqlx::query("SET LOCAL synchronous_commit = on").execute(&mut *transaction).await?;
        // Nobody takes the lease before the end of this.
        sqlx::query("SELECT FROM lease WHERE epoch = $1 FOR SHARE")
            .bind(epoch)
            .execute(&mut *transaction)
            .await?;
        for (number, is, becomes) in [(from, "live", "previous"), (to, "building", "live")] {
            let changed = sqlx::query(
                "UPDATE generations
                 SET state = $1, was_live = TRUE, held = FALSE, reason = NULL, changed_at = $2,
                     last_live = (SELECT max(last_live) + 1 FROM generations)
                 WHERE number = $3 AND state = $4 AND EXISTS (SELECT FROM lease WHERE epoch = $5)",
            )
            .bind(becomes)
            .bind(now())
            .bind(number)
            .bind(is)
            .bind(epoch)
            .execute(&mut *transaction)
            .await?;
            if changed.rows_affected() != 1 {
                transaction.rollback().await?;
                return Ok(false);
            }
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn open(&self, number: i32) -> Result<PostgresTables<M>, DatabaseError> {
        let schema = Self::schema(number);
        self.make(&schema).await?;
        let tables = PostgresTables::new(&self.options, &schema);
        migrations(M::migrations()).run(&tables.writer).await?;
        let mut transaction = self.locked().await?;
        // The catalog's connections are in another schema.
        sqlx::query(AssertSqlSafe(format!("SET LOCAL search_path TO {schema}")))
            .execute(&mut *transaction)
            .await?;
        frame::make(&mut transaction).await?;
        transaction.commit().await?;
        Ok(tables)
    }

    fn peek(&self, number: i32) -> PostgresTables<M> {
        PostgresTables::new(&self.options, &Self::schema(number))
    }

    async fn remove(&self, number: i32) -> Result<(), DatabaseError> {
        let mut transaction = self.catalog.begin().await?;
        // Its name is ours: letters and a number.
        let schema = Self::schema(number);
        sqlx::query(AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {schema} CASCADE")))
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM generations WHERE number = $1")
            .bind(number)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    async fn lease(&self, holder: Uuid, duration: Duration) -> Result<Option<i64>, DatabaseError> {
        // Out of the map: one that breaks, or whose answer nobody waits for any more, is not used again.
        let session = self.sessions.lock().await.remove(&holder);
        let mut session = match session {
            Some(session) => session,
            None => Session::open(&self.lease_options()).await?,
        };
        let epoch = session.lease(&Self::catalog(), holder, duration).await?;
        // Without the lease the lock is the holder's to take.
        if epoch.is_some() || !session.locked {
            self.sessions.lock().await.insert(holder, session);
        }
        Ok(epoch)
    }

    async fn release(&self, holder: Uuid) -> Result<(), DatabaseError> {
        self.sessions.lock().await.remove(&holder);
        sqlx::query("UPDATE lease SET ends = to_timestamp(0) WHERE holder = $1")
            .bind(holder)
            .execute(&self.catalog)
            .await?;
        Ok(())
    }

    async fn close(&self) {
        self.looks.lock().await.take();
        self.catalog.close().await;
    }

    async fn leave(&self, tables: &Self::Tables) {
        tables.close().await;
        self.close().await;
    }
}
