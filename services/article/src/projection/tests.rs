//! What the tables of articles must do alike in both databases.

mod reads;
mod search;
mod story;
mod writes;

use contracts::article::{
    GetActivity, GetArticle, GetAuthor, ListArticles, ListAuthors, SearchArticles,
};
use eventsourcing::UserId;
use read_model::{
    Ask, DatabaseError, ReadModel as _, Seen,
    testing::{Database, PostgresDatabase, SqliteDatabase, State, Tables},
};
use uuid::Uuid;

use super::{
    Articles,
    queries::Behind,
    rows::{ArticleRow, AuthorRow, DayRow, Found, ListPage, SearchPage},
};

#[tokio::test]
async fn sqlite_keeps_articles() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(&SqliteDatabase::new(folder.path().join("read-models.db"))).await;
}

#[tokio::test]
async fn postgres_keeps_articles() {
    let server = test_support::PostgresServer::start().await;
    run(&PostgresDatabase::parse(&server.url()).expect("a valid URL")).await;
}

/// Every rule, on one database: its generations do not see each other.
async fn run<D: Articled>(database: &D) {
    database.prepare(Articles::VERSION).await.expect("prepared");
    writes::run(database).await;
    reads::run(database).await;
    search::run(database).await;
    database.close().await;
}

/// The tables of a new generation.
async fn tables<D: Articled>(database: &D) -> D::Tables {
    let version = Articles::VERSION;
    let number = database.add(version, false, false).await.expect("added").expect("none is built");
    // Out of the way of the next one.
    database.change(number, State::Building, State::Failed, None).await.expect("changed");
    database.open(number).await.expect("opened")
}

/// A database of articles.
trait Articled: Database<Model = Articles, Tables: Asked> {}

impl<D: Database<Model = Articles, Tables: Asked>> Articled for D {}

/// Tables that answer every question. A `limit` is exact here, without the row that tells of the next page.
trait Asked: Tables<Model = Articles> {
    async fn get(&self, id: Uuid) -> Result<Seen<Option<ArticleRow>>, DatabaseError>;
    async fn list(&self, page: &ListPage) -> Result<Seen<Vec<ArticleRow>>, DatabaseError>;
    async fn search(&self, page: &SearchPage) -> Result<Seen<Found>, DatabaseError>;
    async fn author(&self, id: &UserId) -> Result<Seen<Option<AuthorRow>>, DatabaseError>;
    async fn authors(&self, after: &str, limit: i64)
    -> Result<Seen<Vec<AuthorRow>>, DatabaseError>;
    async fn activity(&self, first: &str, last: &str) -> Result<Seen<Vec<DayRow>>, DatabaseError>;
}

impl<T> Asked for T
where
    T: Tables<Model = Articles>,
    GetArticle: Ask<Articles, T::Sql, Question = Uuid, Rows = Option<ArticleRow>>,
    ListArticles: Ask<Articles, T::Sql>,
    SearchArticles: Ask<Articles, T::Sql>,
    GetAuthor: Ask<Articles, T::Sql>,
    ListAuthors: Ask<Articles, T::Sql>,
    GetActivity: Ask<Articles, T::Sql>,
{
    async fn get(&self, id: Uuid) -> Result<Seen<Option<ArticleRow>>, DatabaseError> {
        GetArticle::ask(self.reads(), id).await
    }

    async fn list(&self, page: &ListPage) -> Result<Seen<Vec<ArticleRow>>, DatabaseError> {
        let page = ListPage { limit: page.limit - 1, ..page.clone() };
        ListArticles::ask(self.reads(), page).await
    }

    async fn search(&self, page: &SearchPage) -> Result<Seen<Found>, DatabaseError> {
        let page = SearchPage { limit: page.limit - 1, ..page.clone() };
        SearchArticles::ask(self.reads(), page).await
    }

    async fn author(&self, id: &UserId) -> Result<Seen<Option<AuthorRow>>, DatabaseError> {
        GetAuthor::ask(self.reads(), id.clone()).await
    }

    async fn authors(
        &self,
        after: &str,
        limit: i64,
    ) -> Result<Seen<Vec<AuthorRow>>, DatabaseError> {
        let page = Behind { after: after.to_owned(), limit: limit - 1 };
        ListAuthors::ask(self.reads(), page).await
    }

    async fn activity(&self, first: &str, last: &str) -> Result<Seen<Vec<DayRow>>, DatabaseError> {
        GetActivity::ask(self.reads(), (first.to_owned(), last.to_owned())).await
    }
}
