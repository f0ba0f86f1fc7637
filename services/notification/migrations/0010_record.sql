-- Which record this is. Processes that share it may take over from each other.
CREATE TABLE record (
    id TEXT PRIMARY KEY
) STRICT;
