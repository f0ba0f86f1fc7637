CREATE TABLE toys (
    created_position INTEGER PRIMARY KEY,
    id               BLOB NOT NULL UNIQUE,
    name             TEXT NOT NULL,
    version          INTEGER NOT NULL,
    broken           INTEGER NOT NULL
) STRICT;
