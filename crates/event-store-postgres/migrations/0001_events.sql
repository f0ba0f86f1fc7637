-- Every event, as it was decided. Rows are added and get their position; nothing else ever changes.
CREATE TABLE events (
    context        text   NOT NULL,
    aggregate_id   uuid   NOT NULL,
    version        bigint NOT NULL CHECK (version > 0),
    -- No index: it derives from the command and the aggregate, and the key tells repeats.
    id             uuid   NOT NULL,
    event_type     text   NOT NULL,
    schema_version bigint NOT NULL,
    -- RFC 3339: a timestamp would lose the nanoseconds.
    time           text   NOT NULL,
    correlation_id text   NOT NULL,
    causation_id   uuid   NOT NULL,
    fingerprint    uuid   NOT NULL,
    user_id        text   NOT NULL,
    traceparent    text,
    -- Not json: what is published must be what was stored, byte for byte.
    data           bytea  NOT NULL,
    -- Where it is in the stream EVENTS; null until the relay has published it.
    position       bigint CHECK (position > 0),
    PRIMARY KEY (context, aggregate_id, version)
);

-- What the relay has yet to publish. Always short, and written to all the time.
CREATE TABLE outbox (
    id           bigserial PRIMARY KEY,
    context      text   NOT NULL,
    aggregate_id uuid   NOT NULL,
    version      bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Who holds a value that only one aggregate may hold. The value itself is not in it.
CREATE TABLE claims (
    kind   text NOT NULL,
    digest uuid NOT NULL,
    owner  uuid NOT NULL,
    PRIMARY KEY (kind, digest)
);
