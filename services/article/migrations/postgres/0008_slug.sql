-- An article is read by its slug, too.
CREATE INDEX articles_of_slug ON articles (slug) WHERE NOT deleted AND slug IS NOT NULL;
