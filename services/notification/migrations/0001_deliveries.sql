-- What was sent: one row an event.
CREATE TABLE deliveries (
    event_id TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    sent_at  TEXT NOT NULL
) STRICT;
