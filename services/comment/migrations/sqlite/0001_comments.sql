-- A comment is known by its number, the position of the event that added it: oldest first, whatever clocks say.
CREATE TABLE comments (
    number     INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    article_id BLOB NOT NULL,
    author_id  TEXT NOT NULL,
    -- Empty once it is deleted.
    text       TEXT NOT NULL,
    version    INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    deleted    INTEGER NOT NULL
) STRICT;
CREATE INDEX comments_on_article ON comments (article_id, number) WHERE deleted = 0;

-- The articles that there are, or were.
CREATE TABLE articles (
    id      BLOB PRIMARY KEY,
    deleted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
