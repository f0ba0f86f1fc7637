-- The generations of the read model. Each has its tables in a file of its own.
CREATE TABLE generations (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The version of the code that fills it.
    version    INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('building', 'live', 'previous', 'failed')),
    -- Whether it waits for a promotion by hand once it has caught up.
    held       INTEGER NOT NULL DEFAULT 0,
    -- Whether it is compared with the live one before it takes its place.
    verified   INTEGER NOT NULL DEFAULT 0,
    -- Whether it was live: then it is kept, for a rollback.
    was_live   INTEGER NOT NULL DEFAULT 0,
    -- How many switches there had been when it was live last. No clock says who came before whom.
    last_live  INTEGER NOT NULL DEFAULT 0,
    -- Why it failed, or why it is held.
    reason     TEXT,
    changed_at TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX generations_one_live ON generations (state) WHERE state = 'live';
CREATE UNIQUE INDEX generations_one_building ON generations (state) WHERE state = 'building';

-- Who may write. The epoch grows with each new holder.
CREATE TABLE lease (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    holder BLOB NOT NULL,
    -- Whether its process also has the lock that ends with it. Then whoever has that lock knows that it is gone.
    locked INTEGER NOT NULL,
    epoch  INTEGER NOT NULL,
    -- Seconds of Unix time.
    ends   REAL NOT NULL
) STRICT;
