-- How far each projector has come: the position of the last event in its tables.
CREATE TABLE positions (
    projector TEXT PRIMARY KEY,
    position  INTEGER NOT NULL
) STRICT;

CREATE TABLE articles (
    id               TEXT PRIMARY KEY,
    title            TEXT NOT NULL,
    content          TEXT NOT NULL,
    author_id        TEXT NOT NULL,
    version          INTEGER NOT NULL,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL,
    -- The position of the event that created it: newest first, whatever clocks say.
    created_position INTEGER NOT NULL UNIQUE,
    deleted          INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX articles_newest ON articles (created_position) WHERE deleted = 0;
CREATE INDEX articles_newest_of_author ON articles (author_id, created_position) WHERE deleted = 0;
