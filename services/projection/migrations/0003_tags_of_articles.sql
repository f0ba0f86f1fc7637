-- Which articles have a tag, newest first. An article is known by the position of the event that created it.
CREATE TABLE article_tags (
    tag              TEXT NOT NULL,
    created_position INTEGER NOT NULL,
    PRIMARY KEY (tag, created_position)
) STRICT, WITHOUT ROWID;

CREATE INDEX article_tags_of_article ON article_tags (created_position);

INSERT INTO article_tags (tag, created_position)
SELECT DISTINCT tag.value, created_position FROM articles, json_each(tags) AS tag WHERE deleted = 0;
