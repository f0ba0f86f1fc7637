ALTER TABLE articles ADD COLUMN slug TEXT;
-- A JSON array of strings.
ALTER TABLE articles ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
