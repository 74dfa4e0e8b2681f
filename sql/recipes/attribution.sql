-- attribution: people who converted, by the utm_source of their first and of their last touch.
--
-- A touch is an event with a utm_source up to the person's first conversion in the range, at any time before it and
-- under any id that is the person's now.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
-- $conversion = 'purchase': the event
--
-- Cost: of events up to the end the key, person_id and utm_source.
WITH conversions AS (
    SELECT person_id, min("timestamp") AS converted_at
    FROM activity
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until AND event = $conversion
    GROUP BY person_id
),
touched AS (
    SELECT
        c.person_id,
        first_of(a.utm_source, a."timestamp", a.uuid) AS first_source,
        last_of(a.utm_source, a."timestamp", a.uuid) AS last_source
    FROM conversions AS c
    JOIN activity AS a ON a.person_id = c.person_id AND a."timestamp" <= c.converted_at
    WHERE a.team_id = $team_id AND a.utm_source IS NOT NULL
    GROUP BY c.person_id
),
credited AS (
    SELECT 'first' AS touch, coalesce(t.first_source, '(none)') AS utm_source
    FROM conversions AS c
    LEFT JOIN touched AS t ON t.person_id = c.person_id
    UNION ALL
    SELECT 'last' AS touch, coalesce(t.last_source, '(none)') AS utm_source
    FROM conversions AS c
    LEFT JOIN touched AS t ON t.person_id = c.person_id
)
SELECT touch, utm_source, count(*) AS people
FROM credited
GROUP BY touch, utm_source
ORDER BY touch, utm_source
LIMIT 10000;
