//! What is asked about comments.

use std::fmt::Display;

use contracts::{
    article::ArticleRefusal,
    comment::{
        Comment, CommentPage, CommentRef, CommentRefusal, CommentState, FindComment, GetComment,
        ListComments, LiveComments, LivePage,
    },
};
use eventsourcing::Refusal;
use read_model::{Fault, TableQuery, cursor, page, parse_rfc3339};
use uuid::Uuid;

use super::{
    Comments,
    fold::{ArticleRow, CommentRow},
};

/// How many comments the system is told of at once.
const LIVE_PAGE: i64 = 500;

/// One comment on an article, by number.
#[derive(Debug, Clone, Copy)]
pub struct Numbered {
    pub(super) article_id: Uuid,
    pub(super) number: i64,
}

impl Numbered {
    fn new(article_id: Uuid, number: u64) -> Self {
        // No comment has a number that high.
        Self { article_id, number: i64::try_from(number).unwrap_or(i64::MAX) }
    }
}

/// Comments on an article behind a number.
#[derive(Debug, Clone, Copy)]
pub struct Behind {
    pub(super) article_id: Uuid,
    pub(super) after: i64,
    /// How many a page has; one more is asked for, which tells whether there is a next page.
    pub(super) limit: i64,
}

/// An article, if it is known, and what was asked about it.
#[derive(Debug)]
pub struct On<T> {
    pub(super) article: Option<ArticleRow>,
    pub(super) data: T,
}

impl<T> On<T> {
    /// What was asked, unless the article is not there.
    fn of_live(self) -> Result<T, Refusal> {
        match self.article {
            None => Err(ArticleRefusal::NotFound.into()),
            Some(article) if article.deleted => Err(ArticleRefusal::Deleted.into()),
            Some(_) => Ok(self.data),
        }
    }
}

impl TableQuery<Comments> for GetComment {
    type Question = Numbered;
    type Rows = On<Option<CommentRow>>;

    fn question(&self) -> Result<Numbered, Refusal> {
        Ok(Numbered::new(self.article_id.as_uuid(), self.number))
    }

    fn answer(_: Numbered, found: Self::Rows) -> Result<Comment, Fault> {
        match found.of_live()? {
            None => Err(Refusal::from(CommentRefusal::NotFound).into()),
            Some(row) if row.deleted => Err(Refusal::from(CommentRefusal::Deleted).into()),
            Some(row) => comment(row),
        }
    }
}

impl TableQuery<Comments> for ListComments {
    type Question = Behind;
    type Rows = On<Vec<CommentRow>>;

    /// The cursor is the number of the last item: comments that come or go meanwhile do not shift the pages.
    fn question(&self) -> Result<Behind, Refusal> {
        let after = match &self.cursor {
            None => 0,
            Some(cursor) => cursor::read(cursor).ok_or_else(page::not_a_cursor)?,
        };
        let article_id = self.article_id.as_uuid();
        Ok(Behind { article_id, after, limit: page::limit(self.limit)? })
    }

    fn cursor(&mut self) -> Option<&mut String> {
        self.cursor.as_mut()
    }

    fn next(answer: &mut CommentPage) -> Option<&mut String> {
        answer.next.as_mut()
    }

    fn answer(question: Behind, found: Self::Rows) -> Result<CommentPage, Fault> {
        let mut rows = found.of_live()?;
        let more = page::cut(&mut rows, question.limit);
        let next = rows.last().filter(|_| more).map(|row| cursor::write(row.number));
        let items = rows.into_iter().map(comment).collect::<Result<_, _>>()?;
        Ok(CommentPage { items, next })
    }
}

impl TableQuery<Comments> for FindComment {
    type Question = Numbered;
    type Rows = On<Option<CommentRow>>;

    fn question(&self) -> Result<Numbered, Refusal> {
        Ok(Numbered::new(self.article_id.as_uuid(), self.number))
    }

    fn answer(_: Numbered, found: Self::Rows) -> Result<CommentRef, Fault> {
        let row = found.data.ok_or_else(|| Refusal::from(CommentRefusal::NotFound))?;
        reference(&row)
    }
}

impl TableQuery<Comments> for LiveComments {
    type Question = Behind;
    type Rows = On<Vec<CommentRow>>;

    fn question(&self) -> Result<Behind, Refusal> {
        let after = i64::try_from(self.after).unwrap_or(i64::MAX);
        Ok(Behind { article_id: self.article_id.as_uuid(), after, limit: LIVE_PAGE })
    }

    fn answer(_: Behind, found: Self::Rows) -> Result<LivePage, Fault> {
        let items = found.data.iter().map(reference).collect::<Result<_, _>>()?;
        Ok(LivePage { items })
    }
}

fn reference(row: &CommentRow) -> Result<CommentRef, Fault> {
    Ok(CommentRef { number: number(row.number)?, id: row.id.into() })
}

fn comment(row: CommentRow) -> Result<Comment, Fault> {
    let state = CommentState {
        id: row.id.into(),
        article_id: row.article_id.into(),
        author_id: row.author_id.parse().map_err(fault)?,
        text: row.text,
        version: number(row.version)?,
        created_at: parse_rfc3339(&row.created_at).map_err(fault)?,
    };
    Ok(Comment { number: number(row.number)?, state })
}

fn number(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(fault)
}

fn fault(error: impl Display) -> Fault {
    Fault::Row(error.to_string())
}
