-- How far the tables are: the position of the last event in them, and the epoch of whoever may write.
CREATE TABLE progress (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    position BIGINT NOT NULL,
    epoch    BIGINT NOT NULL,
    -- Whether the search has its index. A rebuild makes it at the end, at a fraction of the cost.
    indexed  BOOLEAN NOT NULL
);
INSERT INTO progress VALUES (1, 0, 0, TRUE);

-- An article is known by the position of the event that created it: newest first, whatever clocks say.
CREATE TABLE articles (
    created_position BIGINT PRIMARY KEY,
    id               UUID NOT NULL UNIQUE,
    title            TEXT NOT NULL,
    content          TEXT NOT NULL,
    author_id        TEXT COLLATE "C" NOT NULL,
    slug             TEXT,
    tags             JSONB NOT NULL,
    version          BIGINT NOT NULL,
    -- RFC 3339, since a timestamp would lose the nanoseconds.
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL,
    deleted          BOOLEAN NOT NULL,
    -- The title counts more. A tsvector holds a megabyte, which is never reached this way.
    search           TSVECTOR GENERATED ALWAYS AS (
        CASE WHEN deleted THEN NULL
        ELSE setweight(to_tsvector('simple', left(title, 10000)), 'A') ||
             setweight(to_tsvector('simple', left(content, 50000)), 'B') END
    ) STORED
);
CREATE INDEX articles_newest ON articles (created_position) WHERE NOT deleted;
CREATE INDEX articles_of_author ON articles (author_id, created_position) WHERE NOT deleted;
-- New words wait in a list until there are many; a long one would make whoever fills it up wait.
CREATE INDEX articles_search ON articles USING GIN (search) WITH (gin_pending_list_limit = 1024);

CREATE TABLE article_tags (
    tag              TEXT COLLATE "C" NOT NULL,
    created_position BIGINT NOT NULL,
    PRIMARY KEY (tag, created_position)
);
CREATE INDEX article_tags_of_article ON article_tags (created_position);

CREATE TABLE authors (
    author_id     TEXT COLLATE "C" PRIMARY KEY,
    -- Live articles, and all that were ever created.
    articles      BIGINT NOT NULL,
    created       BIGINT NOT NULL,
    -- The time of the last event, and its position: a dead letter that is redriven is not the last one.
    last_activity TEXT NOT NULL,
    last_position BIGINT NOT NULL
);

-- What happened on each day, in UTC.
CREATE TABLE activity (
    day     TEXT COLLATE "C" PRIMARY KEY,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    deleted BIGINT NOT NULL
);

-- Events that a rebuild could not apply.
CREATE TABLE skipped (
    position BIGINT PRIMARY KEY,
    subject  TEXT NOT NULL,
    reason   TEXT NOT NULL
);
