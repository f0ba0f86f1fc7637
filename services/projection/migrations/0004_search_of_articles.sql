-- The words of every live article. Its rowid is the position of the event that created the article.
CREATE VIRTUAL TABLE articles_search USING fts5 (title, content, tokenize = 'unicode61 remove_diacritics 2');

INSERT INTO articles_search (rowid, title, content)
SELECT created_position, title, content FROM articles WHERE deleted = 0;
