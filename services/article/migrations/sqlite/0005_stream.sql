-- Which stream the tables are of, and when the server stored the event at their position, in nanoseconds of Unix time.
-- Nothing where nobody noted it yet.
ALTER TABLE progress ADD COLUMN stream TEXT;
ALTER TABLE progress ADD COLUMN stored_at INTEGER;
