-- What the search reads in place of title and content, where that is another text. What was there before has none until
-- it is written again, or rebuilt.
ALTER TABLE articles ADD COLUMN search_title TEXT;
ALTER TABLE articles ADD COLUMN search_content TEXT;
DROP VIEW live_articles;
CREATE VIEW live_articles AS
    SELECT created_position, coalesce(search_title, title) AS title, coalesce(search_content, content) AS content
    FROM articles WHERE deleted = 0;
