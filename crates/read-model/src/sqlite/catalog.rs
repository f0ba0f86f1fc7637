//! Which generations there are, and the lease.

use std::{path::Path, time::Duration};

use sqlx::Sqlite;
use uuid::Uuid;

use super::{SqliteDatabase, SqliteTables, leave::leave};
use crate::{
    catalog::{Database, Generation, GenerationRow, State},
    model::{DatabaseError, Schema},
    tables::migrations,
    time::now,
};

impl<M: Schema<Sqlite>> Database for SqliteDatabase<M> {
    type Model = M;
    type Tables = SqliteTables<M>;

    async fn prepare(&self, version: i64) -> Result<(), DatabaseError> {
        migrations(sqlx::migrate!("migrations/sqlite/catalog")).run(&self.catalog).await?;
        sqlx::query(
            "INSERT INTO generations (version, state, changed_at)
             SELECT ?, 'live', ? WHERE NOT EXISTS (SELECT 1 FROM generations)",
        )
        .bind(version)
        .bind(now())
        .execute(&self.catalog)
        .await?;
        Ok(())
    }

    async fn generations(&self) -> Result<Vec<Generation>, DatabaseError> {
        let rows: Vec<GenerationRow> = sqlx::query_as("SELECT * FROM generations ORDER BY number")
            .fetch_all(&self.catalog)
            .await?;
        rows.into_iter().map(Generation::try_from).collect()
    }

    async fn add(
        &self,
        version: i64,
        held: bool,
        verified: bool,
    ) -> Result<Option<i32>, DatabaseError> {
        sqlx::query_scalar(
            "INSERT INTO generations (version, state, held, verified, changed_at)
             VALUES (?, 'building', ?, ?, ?) ON CONFLICT DO NOTHING RETURNING number",
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
            "UPDATE OR IGNORE generations
             SET state = CASE WHEN was_live AND ?1 = 'failed' THEN 'previous' ELSE ?1 END,
                 held = 0, verified = 0, reason = ?2, changed_at = ?3
             WHERE number = ?4 AND state = ?5",
        )
        .bind(to.name())
        .bind(reason)
        .bind(now())
        .bind(number)
        .bind(from.name())
        .execute(&self.catalog)
        .await?;
        Ok(changed.rows_affected() == 1)
    }

    async fn hold(
        &self,
        number: i32,
        held: bool,
        reason: Option<&str>,
    ) -> Result<(), DatabaseError> {
        sqlx::query(
            "UPDATE generations SET held = ?, reason = ? WHERE number = ? AND state = 'building'",
        )
        .bind(held)
        .bind(reason)
        .bind(number)
        .execute(&self.catalog)
        .await?;
        Ok(())
    }

    async fn switch(&self, from: i32, to: i32, epoch: i64) -> Result<bool, DatabaseError> {
        // Everything else about the read model can be made again, but not who was told which generation is live.
        let mut transaction = self.durable.begin_with("BEGIN IMMEDIATE").await?;
        for (number, is, becomes) in [(from, "live", "previous"), (to, "building", "live")] {
            let changed = sqlx::query(
                "UPDATE generations SET state = ?, was_live = 1, held = 0, reason = NULL, changed_at = ?,
                        last_live = (SELECT max(last_live) + 1 FROM generations)
                 WHERE number = ? AND state = ? AND EXISTS (SELECT 1 FROM lease WHERE epoch = ?)",
            )
            .bind(becomes)
            .bind(now())
            .bind(number)
            .bind(is)
            .bind(epoch)
            .execute(&mut *transaction)
            .await?;
            if changed.rows_affected() != 1 {
                return Ok(false);
            }
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn open(&self, number: i32) -> Result<SqliteTables<M>, DatabaseError> {
        SqliteTables::open(self.generation(number)).await
    }

    fn peek(&self, number: i32) -> SqliteTables<M> {
        SqliteTables::peek(self.generation(number))
    }

    async fn remove(&self, number: i32) -> Result<(), DatabaseError> {
        // The files first: a row without files is harmless, files without a row would stay for ever.
        let path = self.generation(number);
        for suffix in ["", "-wal", "-shm"] {
            let mut file = path.clone().into_os_string();
            file.push(suffix);
            match tokio::fs::remove_file(Path::new(&file)).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        sqlx::query("DELETE FROM generations WHERE number = ?")
            .bind(number)
            .execute(&self.catalog)
            .await?;
        Ok(())
    }

    async fn lease(&self, holder: Uuid, duration: Duration) -> Result<Option<i64>, DatabaseError> {
        let locked = self.lock.take(holder)?;
        let epoch = sqlx::query_scalar(
            "INSERT INTO lease (one, holder, locked, epoch, ends) VALUES (1, ?1, ?3, 1, unixepoch('subsec') + ?2)
             ON CONFLICT (one) DO UPDATE
             SET epoch = epoch + (holder <> ?1), holder = ?1, locked = ?3, ends = unixepoch('subsec') + ?2
             WHERE holder = ?1 OR ends < unixepoch('subsec') OR (locked AND ?3)
             RETURNING epoch",
        )
        .bind(holder)
        .bind(duration.as_secs_f64())
        .bind(locked)
        .fetch_optional(&self.catalog)
        .await?;
        if epoch.is_none() {
            // It is the holder's to take.
            self.lock.release(holder);
        }
        Ok(epoch)
    }

    async fn release(&self, holder: Uuid) -> Result<(), DatabaseError> {
        self.lock.release(holder);
        sqlx::query("UPDATE lease SET ends = 0 WHERE holder = ?")
            .bind(holder)
            .execute(&self.catalog)
            .await?;
        Ok(())
    }

    async fn close(&self) {
        self.durable.close().await;
        self.catalog.close().await;
    }

    async fn leave(&self, tables: &SqliteTables<M>) {
        tables.leave().await;
        self.durable.close().await;
        leave(&self.catalog).await;
    }
}
