use contracts::article::{ArticlePage, ListArticles, tag_form};
use eventsourcing::Refusal;
use read_model::{Fault, TableQuery, cursor, page};

use super::row;
use crate::projection::{
    Articles,
    rows::{ArticleRow, ListPage},
};

impl TableQuery<Articles> for ListArticles {
    type Question = ListPage;
    type Rows = Vec<ArticleRow>;

    /// The cursor is the position of the last item: articles that appear meanwhile do not shift the pages.
    fn question(&self) -> Result<ListPage, Refusal> {
        let before = match &self.cursor {
            None => None,
            Some(cursor) => Some(cursor::read(cursor).ok_or_else(page::not_a_cursor)?),
        };
        Ok(ListPage {
            author: self.author.clone(),
            tag: self.tag.as_deref().map(tag_form),
            slug: self.slug.clone(),
            before,
            limit: page::limit(self.limit)?,
        })
    }

    fn cursor(&mut self) -> Option<&mut String> {
        self.cursor.as_mut()
    }

    fn next(answer: &mut Self::Answer) -> Option<&mut String> {
        answer.next.as_mut()
    }

    fn answer(question: ListPage, mut rows: Self::Rows) -> Result<ArticlePage, Fault> {
        let more = page::cut(&mut rows, question.limit);
        let next = rows.last().filter(|_| more).map(|row| cursor::write(row.created_position));
        let items = rows.into_iter().map(row::summary).collect::<Result<_, _>>()?;
        Ok(ArticlePage { items, next })
    }
}
