use contracts::article::{SearchArticles, SearchHit, SearchPage as Page, tag_form};
use eventsourcing::Refusal;
use read_model::{Fault, TableQuery, cursor, page};

use super::{row, snippet};
use crate::projection::{
    Articles,
    rows::{Found, SearchPage},
};

/// The longest text to look for, in Unicode scalar values. It also bounds how many words there are.
const MAX_TEXT: usize = 200;
/// How far the pages go: whoever has not found it by then looks for something else.
const MAX_OFFSET: i64 = 1000;

impl TableQuery<Articles> for SearchArticles {
    type Question = SearchPage;
    type Rows = Found;

    /// Best first: rare words count more than common ones, the title more than the content. The pages are about the
    /// articles that were there when the first page was read: new ones are on none of them, and can change the order of
    /// the others only as far as they change how rare a word is.
    fn question(&self) -> Result<SearchPage, Refusal> {
        if !(1..=MAX_TEXT).contains(&self.text.chars().count()) {
            return Err(page::invalid("q", format!("must be 1 to {MAX_TEXT} characters long")));
        }
        let (newest, offset) = match &self.cursor {
            None => (None, 0),
            Some(cursor) => cursor::read_pair(cursor)
                .filter(|(_, offset)| *offset < MAX_OFFSET)
                .map(|(newest, offset)| (Some(newest), offset))
                .ok_or_else(page::not_a_cursor)?,
        };
        Ok(SearchPage {
            words: words(&self.text),
            author: self.author.clone(),
            tag: self.tag.as_deref().map(tag_form),
            newest,
            offset,
            limit: page::limit(self.limit)?,
        })
    }

    fn cursor(&mut self) -> Option<&mut String> {
        self.cursor.as_mut()
    }

    fn next(answer: &mut Self::Answer) -> Option<&mut String> {
        answer.next.as_mut()
    }

    fn answer(question: SearchPage, found: Found) -> Result<Page, Fault> {
        let Found { newest, mut hits } = found;
        let end = question.offset + question.limit;
        let more = page::cut(&mut hits, question.limit) && end < MAX_OFFSET;
        let items = hits.into_iter().map(|hit| {
            let snippet = snippet::highlighted(&hit.snippet);
            Ok(SearchHit { article: row::summary(hit.article)?, snippet })
        });
        let items = items.collect::<Result<_, Fault>>()?;
        Ok(Page { items, next: more.then(|| cursor::write_pair(newest, end)) })
    }
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|char: char| char.is_whitespace() || char.is_control());
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_white_space_and_control_characters_leave() {
        assert_eq!(words("a\0b  c\t"), ["a", "b", "c"]);
        assert_eq!(words(" \t"), [""; 0]);
    }

    #[test]
    fn every_word_of_the_longest_text_counts() {
        let text = "a ".repeat(MAX_TEXT / 2);
        assert_eq!(words(&text).len(), MAX_TEXT / 2);
    }
}
