//! A read model with its queries, from its start to its orderly end.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use futures_util::future::BoxFuture;
use messaging::{Connection, RequestServer, consumer::measure_lag};
use service_kit::{Context, files::make_folder_of, health::State};
use sqlx::{Postgres, Sqlite};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    active,
    catalog::Database,
    commits, control,
    follower::Follower,
    model::{ReadModel, Schema},
    opening, origin,
    postgres::PostgresDatabase,
    queries::{Ask, Reader, register},
    settings::{Place, PlaceError, ProjectionSettings},
    sqlite::SqliteDatabase,
};

/// Begins to answer one query.
type Registration<D> = Box<
    dyn for<'a> FnOnce(&'a RequestServer, &'a Reader<D>) -> BoxFuture<'a, anyhow::Result<()>>
        + Send,
>;

/// A read model, and the queries that are answered from it.
pub struct Served<M: Schema<Sqlite> + Schema<Postgres>> {
    on_sqlite: Vec<Registration<SqliteDatabase<M>>>,
    on_postgres: Vec<Registration<PostgresDatabase<M>>>,
}

impl<M: Schema<Sqlite> + Schema<Postgres>> Default for Served<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Schema<Sqlite> + Schema<Postgres>> Served<M> {
    /// No query yet.
    #[must_use]
    pub fn new() -> Self {
        Self { on_sqlite: Vec::new(), on_postgres: Vec::new() }
    }

    /// Answers the query `Q`.
    #[must_use]
    pub fn query<Q: Ask<M, Sqlite> + Ask<M, Postgres>>(mut self) -> Self {
        self.on_sqlite.push(Box::new(|server, reader| Box::pin(register::<_, Q>(server, reader))));
        self.on_postgres
            .push(Box::new(|server, reader| Box::pin(register::<_, Q>(server, reader))));
        self
    }

    /// Puts the read model where the settings of `host` say.
    ///
    /// # Errors
    /// They name no database.
    pub fn place(self, host: &Host<'_>) -> Result<Placed, PlaceError> {
        let service = host.service;
        let life: Life = match host.settings.place::<M>(host.data_dir)? {
            Place::Sqlite(database) => {
                let work = Work::new(service, host.settings, self.on_sqlite);
                Box::new(move |connection, context, stop| {
                    Box::pin(async move {
                        make_folder_of(database.path())?;
                        work.run(database, connection, context, stop).await
                    })
                })
            }
            Place::Postgres(database) => {
                let work = Work::new(service, host.settings, self.on_postgres);
                Box::new(move |connection, context, stop| {
                    Box::pin(work.run(*database, connection, context, stop))
                })
            }
        };
        Ok(Placed { name: M::NAME, life })
    }
}

/// The process that read models are in.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a> {
    /// The name of the service: its NATS user, its queue group.
    pub service: &'static str,
    /// Its settings.
    pub settings: &'a ProjectionSettings,
    /// Where files go that have no place of their own.
    pub data_dir: &'a Path,
}

/// The life of a read model.
type Life = Box<
    dyn for<'a> FnOnce(
            &'a Connection,
            &'a Context,
            &'a CancellationToken,
        ) -> BoxFuture<'a, anyhow::Result<()>>
        + Send,
>;

/// A read model that has its place.
pub struct Placed {
    name: &'static str,
    life: Life,
}

/// Keeps `models` until it is time to stop. They share a connection, and nothing else: while the database of one is away the
/// others answer. One that fails ends the others: a read model that stands still must be seen.
///
/// # Errors
/// One has failed.
pub async fn run(
    models: Vec<Placed>,
    connection: &Connection,
    context: &Context,
) -> anyhow::Result<()> {
    let ended = context.lifecycle.stop_token().child_token();
    let lives = models.into_iter().map(|Placed { name, life }| {
        // Whatever is logged says of which one.
        let span = tracing::info_span!("read model", read_model = name);
        ending(&ended, life(connection, context, &ended).instrument(span))
    });
    futures_util::future::join_all(lives).await.into_iter().collect()
}

/// What comes of `work`, whose end is everybody's.
async fn ending<T>(ended: &CancellationToken, work: impl Future<Output = T>) -> T {
    let result = work.await;
    ended.cancel();
    result
}

/// What it takes to keep a read model in a database of the kind `D`.
struct Work<D: Database> {
    service: &'static str,
    settings: ProjectionSettings,
    queries: Vec<Registration<D>>,
}

impl<D: Database> Work<D> {
    fn new(
        service: &'static str,
        settings: &ProjectionSettings,
        queries: Vec<Registration<D>>,
    ) -> Self {
        Self { service, settings: settings.clone(), queries }
    }

    /// What the read model is called where the process tells how it is.
    fn label(&self) -> String {
        match <D::Model>::NAMES.storage {
            "" => self.service.to_owned(),
            _ => format!("{} {}", self.service, <D::Model>::NAME),
        }
    }

    async fn run(
        self,
        database: D,
        connection: &Connection,
        context: &Context,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let label = self.label();
        let (health, ready) = (&context.health, context.health.component(&label));
        origin::describe();
        let opened = opening::open(database, &ready, stop).await;
        let Some(live) = opened.context("opening the read model failed")? else { return Ok(()) };
        opening::announce_version(&live, self.settings.rebuild_on_change).await?;
        health.follow_state(
            format!("{label}: read model"),
            live.verdict().subscribe(),
            |verdict| State::unless(verdict.problem(<D::Model>::NAME)),
        );
        let server = RequestServer::start(connection, self.service).await?;
        let max_wait = Duration::from_millis(self.settings.max_wait_ms);
        let reader = Reader::new(connection, &live, max_wait);
        for query in self.queries {
            query(&server, &reader).await?;
        }
        server.ready().await?;
        ready.ready();
        let follower = Follower::new(live.clone());
        let commits = live.commits().watch();
        health.follow(format!("{label}: commits"), commits, commits::Problems::first);
        health.follow(format!("{label}: database"), follower.problem(), Option::clone);
        let (consumer, position) = (<D::Model>::NAMES.consumer, || live.position());
        let rebuild = self.settings.rebuild_on_foreign_stream;
        let ended = stop.child_token();
        let (control, active, (), (), ()) = tokio::join!(
            ending(&ended, control::serve(connection, &live, &ended)),
            ending(&ended, active::run(connection, &live, &follower, rebuild, &ended)),
            follower.run(&ended),
            origin::run(connection, &live, &ended),
            measure_lag(connection, consumer, position, &ended),
        );
        server.stop().await;
        live.leave().await;
        control.and(active)
    }
}
