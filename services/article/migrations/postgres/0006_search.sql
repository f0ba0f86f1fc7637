-- What the search reads in place of title and content, where that is another text.
ALTER TABLE articles ADD COLUMN search_title TEXT, ADD COLUMN search_content TEXT;

-- A generation with articles goes on as it is until it is rebuilt: replacing the column would write all of them again,
-- while nobody can read.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM articles) THEN
        ALTER TABLE articles DROP COLUMN search;
        -- The title counts more. A tsvector holds a megabyte, which is never reached this way: what the search reads has at
        -- most three characters for each of the text.
        ALTER TABLE articles ADD COLUMN search TSVECTOR GENERATED ALWAYS AS (
            CASE WHEN deleted THEN NULL
            ELSE setweight(to_tsvector('simple', coalesce(left(search_title, 30000), left(title, 10000))), 'A') ||
                 setweight(to_tsvector('simple', coalesce(left(search_content, 150000), left(content, 50000))), 'B') END
        ) STORED;
        CREATE INDEX articles_search ON articles USING GIN (search) WITH (gin_pending_list_limit = 1024);
    END IF;
END $$;
