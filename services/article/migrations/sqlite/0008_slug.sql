-- An article is read by its slug, too.
CREATE INDEX articles_of_slug ON articles (slug) WHERE deleted = 0 AND slug IS NOT NULL;
