-- How far the tables are: the position of the last event in them, and the epoch of whoever may write.
CREATE TABLE progress (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    -- Whether the search follows the articles. A rebuild makes it at the end, at a fraction of the cost.
    indexed  INTEGER NOT NULL
) STRICT;
INSERT INTO progress VALUES (1, 0, 0, 1);

-- An article is known by the position of the event that created it: newest first, whatever clocks say.
CREATE TABLE articles (
    created_position INTEGER PRIMARY KEY,
    id               BLOB NOT NULL UNIQUE,
    title            TEXT NOT NULL,
    content          TEXT NOT NULL,
    author_id        TEXT NOT NULL,
    slug             TEXT,
    -- A JSON array of strings.
    tags             TEXT NOT NULL,
    version          INTEGER NOT NULL,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL,
    deleted          INTEGER NOT NULL
) STRICT;
CREATE INDEX articles_of_author ON articles (author_id, created_position) WHERE deleted = 0;

CREATE TABLE article_tags (
    tag              TEXT NOT NULL,
    created_position INTEGER NOT NULL,
    PRIMARY KEY (tag, created_position)
) STRICT, WITHOUT ROWID;
CREATE INDEX article_tags_of_article ON article_tags (created_position);

CREATE VIEW live_articles AS SELECT created_position, title, content FROM articles WHERE deleted = 0;

-- The words of every live article; their text is in the table of articles.
CREATE VIRTUAL TABLE articles_search USING fts5 (
    title, content, content = 'live_articles', content_rowid = 'created_position', tokenize = 'unicode61 remove_diacritics 2'
);

CREATE TABLE authors (
    author_id     TEXT PRIMARY KEY,
    -- Live articles, and all that were ever created.
    articles      INTEGER NOT NULL,
    created       INTEGER NOT NULL,
    -- The time of the last event, and its position: a dead letter that is redriven is not the last one.
    last_activity TEXT NOT NULL,
    last_position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened on each day, in UTC.
CREATE TABLE activity (
    day     TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    deleted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Events that a rebuild could not apply.
CREATE TABLE skipped (
    position INTEGER PRIMARY KEY,
    subject  TEXT NOT NULL,
    reason   TEXT NOT NULL
) STRICT;
