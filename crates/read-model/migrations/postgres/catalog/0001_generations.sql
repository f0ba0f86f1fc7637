-- The generations of the read model. Each has its tables in a schema of its own.
CREATE TABLE generations (
    number     INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The version of the code that fills it.
    version    BIGINT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('building', 'live', 'previous', 'failed')),
    -- Whether it waits for a promotion by hand once it has caught up.
    held       BOOLEAN NOT NULL DEFAULT FALSE,
    -- Whether it is compared with the live one before it takes its place.
    verified   BOOLEAN NOT NULL DEFAULT FALSE,
    -- Whether it was live: then it is kept, for a rollback.
    was_live   BOOLEAN NOT NULL DEFAULT FALSE,
    -- How many switches there had been when it was live last. No clock says who came before whom.
    last_live  BIGINT NOT NULL DEFAULT 0,
    -- Why it failed, or why it is held.
    reason     TEXT,
    changed_at TEXT NOT NULL
);

CREATE UNIQUE INDEX generations_one_live ON generations (state) WHERE state = 'live';
CREATE UNIQUE INDEX generations_one_building ON generations (state) WHERE state = 'building';

-- Who may write. The epoch grows with each new holder.
CREATE TABLE lease (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    holder UUID NOT NULL,
    -- Whether its process also has the lock that ends with it. Then whoever has that lock knows that it is gone.
    locked BOOLEAN NOT NULL,
    epoch  BIGINT NOT NULL,
    ends   TIMESTAMPTZ NOT NULL
);
