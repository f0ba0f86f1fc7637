CREATE TABLE toys (
    created_position BIGINT PRIMARY KEY,
    id               UUID NOT NULL UNIQUE,
    name             TEXT NOT NULL,
    version          BIGINT NOT NULL,
    broken           BOOLEAN NOT NULL
);
