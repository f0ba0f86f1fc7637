//! A read model that the release before has made, whose search read texts as they were written.

use std::path::Path;

use contracts::article::SearchArticles;
use eventsourcing::QueryReply;
use projection::{ProjectionSettings, control::State};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use test_support::{ArticleWriter, NatsServer, PostgresServer};

use crate::service::{Admin, TestService, folder};

/// Makes tables of this release what that one has made of the same events.
const SQLITE: [&str; 6] = [
    "DROP VIEW live_articles",
    "ALTER TABLE articles DROP COLUMN search_title",
    "ALTER TABLE articles DROP COLUMN search_content",
    "CREATE VIEW live_articles AS SELECT created_position, title, content FROM articles WHERE deleted = 0",
    "INSERT INTO articles_search (articles_search) VALUES ('rebuild')",
    "DELETE FROM _sqlx_migrations WHERE version = 6",
];
const POSTGRES: [&str; 5] = [
    "ALTER TABLE articles DROP COLUMN search, DROP COLUMN search_title, DROP COLUMN search_content",
    "ALTER TABLE articles ADD COLUMN search TSVECTOR GENERATED ALWAYS AS (
        CASE WHEN deleted THEN NULL
        ELSE setweight(to_tsvector('simple', left(title, 10000)), 'A') ||
             setweight(to_tsvector('simple', left(content, 50000)), 'B') END
     ) STORED",
    "CREATE INDEX articles_search ON articles USING GIN (search) WITH (gin_pending_list_limit = 1024)",
    "DELETE FROM _sqlx_migrations WHERE version = 6",
    "UPDATE newswire_projection.generations SET version = 1",
];

async fn sqlite(folder: &Path, file: &str) -> SqliteConnection {
    let url = format!("sqlite:{}", folder.join(file).display());
    SqliteConnection::connect(&url).await.expect("the file")
}

async fn downgrade_sqlite(folder: &Path) {
    let mut tables = sqlite(folder, "read-models.1.db").await;
    for statement in SQLITE {
        sqlx::query(statement).execute(&mut tables).await.expect("executed");
    }
    let mut catalog = sqlite(folder, "read-models.db").await;
    let older = sqlx::query("UPDATE generations SET version = 1");
    older.execute(&mut catalog).await.expect("executed");
}

async fn downgrade_postgres(url: &str) {
    let mut tables = PgConnection::connect(url).await.expect("connected");
    let path = "SET search_path = newswire_projection_1";
    for statement in [path].iter().chain(&POSTGRES) {
        sqlx::query(AssertSqlSafe(*statement)).execute(&mut tables).await.expect("executed");
    }
}

async fn found(service: &TestService, text: &str, position: u64) -> Vec<String> {
    let (text, author, tag, limit, cursor) = (text.to_owned(), None, None, None, None);
    let search = SearchArticles { text, author, tag, limit, cursor };
    match service.ask(search, position).await.expect("a reply") {
        QueryReply::Answered(answer) => {
            answer.data.items.into_iter().map(|hit| hit.article.title).collect()
        }
        QueryReply::Refused(refusal) => panic!("refused: {refusal}"),
    }
}

async fn is_upgraded(postgres: Option<&PostgresServer>) {
    let (server, folder) = (NatsServer::provisioned().await, folder());
    let writer = ArticleWriter::new(&server).await;
    let database = postgres.map(PostgresServer::url).unwrap_or_default().into();
    let settings = ProjectionSettings { database, ..ProjectionSettings::default() };
    let start = || TestService::start_with(&server, folder.path(), settings.clone());
    let service = start().await;
    let tokyo = writer.create("ann", "tokyo", "東京都の天気予報").await;
    let mut changed = writer.create("ann", "changed", "大阪の天気は晴れ soft\u{ad}ly").await;
    let end = changed.head.position;
    assert_eq!(found(&service, "天気", end).await.len(), 2);
    service.stop().await;
    match postgres {
        Some(postgres) => downgrade_postgres(&postgres.url()).await,
        None => downgrade_sqlite(folder.path()).await,
    }
    let service = start().await;
    let admin = Admin::new(&server).await;
    assert_eq!(admin.states().await, [(1, State::Live)]);
    assert_eq!(found(&service, "天気", end).await, [""; 0], "it is as it was");
    assert_eq!(found(&service, "changed", end).await, ["changed"]);
    writer.update(&mut changed, "changed", "京都は雨 soft\u{ad}ly").await;
    let end = changed.head.position;
    assert_eq!(found(&service, "晴れ", end).await, [""; 0]);
    assert_eq!(found(&service, "大阪の天気は晴れ", end).await, [""; 0], "its words are forgotten");
    admin.rebuild(false, true).await;
    let live = admin.live(2).await;
    assert_eq!(live.reason, None, "its rows equal those before");
    assert_eq!(found(&service, "天気", end).await, ["tokyo"]);
    assert_eq!(found(&service, "softly", end).await, ["changed"]);
    assert_eq!(found(&service, "soft", end).await, [""; 0]);
    assert_eq!(tokyo.head.position + 2, end);
    service.stop().await;
    if postgres.is_none() {
        let mut tables = sqlite(folder.path(), "read-models.1.db").await;
        let check =
            "INSERT INTO articles_search (articles_search, rank) VALUES ('integrity-check', 1)";
        sqlx::query(check).execute(&mut tables).await.expect("the search fits its texts");
    }
}

#[tokio::test]
async fn the_search_of_an_older_sqlite_read_model_is_upgraded_by_a_rebuild() {
    is_upgraded(None).await;
}

#[tokio::test]
async fn the_search_of_an_older_postgres_read_model_is_upgraded_by_a_rebuild() {
    is_upgraded(Some(&PostgresServer::start().await)).await;
}
