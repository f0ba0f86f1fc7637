-- Which stream the positions are of, and its furthest event of ours. One row.
CREATE TABLE relayed_to (
    is_the_row  boolean PRIMARY KEY DEFAULT true CHECK (is_the_row),
    -- The identity of the stream; null until the relay has compared the database with it.
    stream      text,
    -- The highest position that was noted, and the id of the event there: 0 and null when there is none.
    position    bigint NOT NULL,
    event       uuid,
    -- While everything is published again to another stream: the last row of the outbox that belongs to that.
    again_up_to bigint
);

INSERT INTO relayed_to (position, event)
SELECT coalesce(last.position, 0), last.id
FROM (SELECT 1) AS one
LEFT JOIN (SELECT position, id FROM events WHERE position IS NOT NULL ORDER BY position DESC LIMIT 1) AS last ON true;
