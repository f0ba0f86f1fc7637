//! What the tables of comments must do alike in both databases.

use contracts::{
    article::{ArticleCreated, ArticleDeleted, ArticleEvent},
    comment::{CommentEvent, CommentPage, FindComment, GetComment, ListComments, LiveComments},
};
use eventsourcing::{
    AggregateId, CommandId, CorrelationId, EventData, Fingerprint, Metadata, NewEvent,
    RecordedEvent, Refusal, StreamIdentity,
};
use messaging::Mark;
use read_model::{
    Ask, Fault, ReadModel as _,
    testing::{Database, PostgresDatabase, SqliteDatabase, State, Step, Tables, fold},
};
use test_support::user;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Comments;
use crate::domain::testing::{added, article_id, deleted};

#[tokio::test]
async fn sqlite_keeps_comments() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run(&SqliteDatabase::new(folder.path().join("read-models.db"))).await;
}

#[tokio::test]
async fn postgres_keeps_comments() {
    let server = test_support::PostgresServer::start().await;
    run(&PostgresDatabase::parse(&server.url()).expect("a valid URL")).await;
}

/// Every rule, on one database: its generations do not see each other.
async fn run<D: Database<Model = Comments>>(database: &D)
where
    GetComment: Ask<Comments, Sql<D>>,
    ListComments: Ask<Comments, Sql<D>>,
    FindComment: Ask<Comments, Sql<D>>,
    LiveComments: Ask<Comments, Sql<D>>,
{
    database.prepare(Comments::VERSION).await.expect("prepared");
    pages_are_oldest_first_and_lack_what_was_deleted(database).await;
    of_an_article_that_is_not_there_there_is_nothing(database).await;
    what_does_not_follow_is_rejected_and_batches_make_no_difference(database).await;
    database.close().await;
}

type Sql<D> = <<D as Database>::Tables as Tables>::Sql;

async fn tables<D: Database<Model = Comments>>(database: &D) -> D::Tables {
    let version = Comments::VERSION;
    let number = database.add(version, false, false).await.expect("added").expect("none is built");
    database.change(number, State::Building, State::Failed, None).await.expect("changed");
    let tables = database.open(number).await.expect("opened");
    tables.fence(1).await.expect("the tables");
    tables
}

fn recorded<E: EventData>(
    context: &str,
    aggregate_id: AggregateId,
    event: &E,
    version: u64,
    position: u64,
) -> RecordedEvent {
    let command = CommandId::generate();
    let event = NewEvent {
        id: command.event_id(aggregate_id, 0),
        event_type: event.event_type().to_owned(),
        schema_version: event.schema_version(),
        version,
        time: OffsetDateTime::UNIX_EPOCH,
        metadata: Metadata {
            correlation_id: CorrelationId::generate(),
            causation_id: command,
            fingerprint: Fingerprint::of("test", b""),
            user_id: user("bob"),
            traceparent: None,
        },
        data: event.encode().expect("JSON"),
    };
    RecordedEvent { context: context.to_owned(), aggregate_id, position, event }
}

fn comment(id: AggregateId, event: &CommentEvent, version: u64, position: u64) -> RecordedEvent {
    recorded("comment", id, event, version, position)
}

fn new_comment() -> AggregateId {
    CommandId::generate().creates("comment")
}

fn article(is_there: bool, version: u64, position: u64) -> RecordedEvent {
    let (title, author_id) = ("T".to_owned(), user("ann"));
    let event: ArticleEvent = if is_there {
        let content = "C".to_owned();
        ArticleCreated { title, content, author_id, slug: None, tags: Vec::new() }.into()
    } else {
        ArticleDeleted { title, author_id }.into()
    };
    recorded("article", article_id(), &event, version, position)
}

/// Folds `events` into `tables`, `size` a time; tells the positions of those that cannot be applied.
async fn tell<T>(tables: &T, from: u64, events: &[RecordedEvent], size: usize) -> Vec<u64>
where
    T: Tables<Model = Comments>,
{
    let (mut from, mut rejected) = (from, Vec::new());
    for batch in events.chunks(size) {
        let (changes, unfit) = fold(tables, batch, &[]).await.expect("the tables");
        let position = batch.last().map_or(from, |event| event.position);
        let stream = StreamIdentity::new(Uuid::from_u128(1));
        let step = Step { from, to: Mark { stream, position, stored_at: 0 }, epoch: 1 };
        assert!(tables.commit(&changes, step).await.expect("the tables"));
        rejected.extend(unfit.into_iter().map(|unfit| unfit.position));
        from = position;
    }
    rejected
}

async fn ask<Q, T>(tables: &T, query: Q) -> Result<Q::Answer, Refusal>
where
    T: Tables<Model = Comments>,
    Q: Ask<Comments, T::Sql>,
{
    let question = query.question()?;
    let seen = Q::ask(tables.reads(), question.clone()).await.expect("the tables");
    match Q::answer(question, seen.data) {
        Ok(answer) => Ok(answer),
        Err(Fault::Refused(refusal)) => Err(refusal),
        Err(fault) => panic!("{fault}"),
    }
}

fn page(limit: u32, cursor: Option<String>) -> ListComments {
    ListComments { article_id: article_id(), limit: Some(limit), cursor }
}

fn numbers(page: &CommentPage) -> Vec<u64> {
    page.items.iter().map(|comment| comment.number).collect()
}

async fn pages_are_oldest_first_and_lack_what_was_deleted<D: Database<Model = Comments>>(
    database: &D,
) where
    ListComments: Ask<Comments, Sql<D>>,
    GetComment: Ask<Comments, Sql<D>>,
    FindComment: Ask<Comments, Sql<D>>,
{
    let tables = tables(database).await;
    let ids: Vec<_> = (0..4).map(|_| new_comment()).collect();
    let mut events = vec![article(true, 1, 1)];
    events.extend(ids.iter().zip(2..).map(|(id, position)| comment(*id, &added(), 1, position)));
    events.push(comment(ids[1], &deleted(), 2, 9));
    assert_eq!(tell(&tables, 0, &events, 3).await, [0; 0]);
    let first = ask(&tables, page(2, None)).await.expect("there");
    assert_eq!(numbers(&first), [2, 4]);
    let second = ask(&tables, page(2, first.next)).await.expect("there");
    assert_eq!((numbers(&second), second.next), (vec![5], None));
    let one = |number| GetComment { article_id: article_id(), number };
    let comment = ask(&tables, one(4)).await.expect("there");
    assert_eq!((comment.state.id, comment.state.text.as_str()), (ids[2], "Yes"));
    let code = async |number| ask(&tables, one(number)).await.expect_err("refused").code;
    assert_eq!(
        (code(3).await, code(7).await),
        ("comment-deleted".into(), "comment-not-found".into())
    );
    let find = FindComment { article_id: article_id(), number: 3 };
    assert_eq!(ask(&tables, find).await.expect("known").id, ids[1]);
    let elsewhere = GetComment { article_id: new_comment(), number: 2 };
    assert_eq!(ask(&tables, elsewhere).await.expect_err("refused").code, "article-not-found");
    tables.close().await;
}

async fn of_an_article_that_is_not_there_there_is_nothing<D: Database<Model = Comments>>(
    database: &D,
) where
    ListComments: Ask<Comments, Sql<D>>,
    LiveComments: Ask<Comments, Sql<D>>,
{
    let tables = tables(database).await;
    let code = async || ask(&tables, page(2, None)).await.expect_err("refused").code;
    assert_eq!(code().await, "article-not-found");
    let id = new_comment();
    let events = [article(true, 1, 1), comment(id, &added(), 1, 2), article(false, 2, 3)];
    tell(&tables, 0, &events, 10).await;
    assert_eq!(code().await, "article-deleted");
    let live = |after| LiveComments { article_id: article_id(), after };
    let left = ask(&tables, live(0)).await.expect("answered");
    assert_eq!(left.items.iter().map(|left| (left.number, left.id)).collect::<Vec<_>>(), [(2, id)]);
    assert!(ask(&tables, live(2)).await.expect("answered").items.is_empty());
    // An event of the article that comes again does not bring it back.
    tell(&tables, 3, &[article(true, 1, 4)], 1).await;
    assert_eq!(code().await, "article-deleted");
    tables.close().await;
}

async fn what_does_not_follow_is_rejected_and_batches_make_no_difference<
    D: Database<Model = Comments>,
>(
    database: &D,
) {
    let (one, other) = (new_comment(), new_comment());
    let events = [
        article(true, 1, 1),
        comment(one, &added(), 1, 2),
        comment(one, &added(), 2, 3),
        comment(other, &deleted(), 1, 4),
        comment(one, &deleted(), 2, 5),
        comment(one, &deleted(), 3, 6),
        comment(one, &added(), 1, 7),
    ];
    let mut digests = Vec::new();
    for size in [1, 3, 10] {
        let tables = tables(database).await;
        assert_eq!(tell(&tables, 0, &events, size).await, [3, 4, 6]);
        digests.push(tables.digest().await.expect("the tables"));
        tables.close().await;
    }
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}
