-- A comment is known by its number, the position of the event that added it: oldest first, whatever clocks say.
CREATE TABLE comments (
    number     BIGINT PRIMARY KEY,
    id         UUID NOT NULL UNIQUE,
    article_id UUID NOT NULL,
    author_id  TEXT NOT NULL,
    -- Empty once it is deleted.
    text       TEXT NOT NULL,
    version    BIGINT NOT NULL,
    created_at TEXT NOT NULL,
    deleted    BOOLEAN NOT NULL
);
CREATE INDEX comments_on_article ON comments (article_id, number) WHERE NOT deleted;

-- The articles that there are, or were.
CREATE TABLE articles (
    id      UUID PRIMARY KEY,
    deleted BOOLEAN NOT NULL
);
