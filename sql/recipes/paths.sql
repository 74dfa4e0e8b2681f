-- paths: which page follows which within a session, and how often.
--
-- Views of one moment are taken in the order of their uuids.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: of events in the range the key, session_id and pathname; a join within each session, so keep the range
-- short where sessions have thousands of pages.
WITH views AS (
    SELECT uuid, session_id, "timestamp", pathname
    FROM activity
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until AND event = '$pageview' AND session_id IS NOT NULL AND pathname IS NOT NULL
),
followed AS (
    SELECT
        a.uuid,
        a.pathname AS source_page,
        first_of(b.pathname, b."timestamp", b.uuid) AS target_page
    FROM views AS a
    JOIN views AS b
        ON b.session_id = a.session_id
        AND (b."timestamp" > a."timestamp" OR (b."timestamp" = a."timestamp" AND b.uuid > a.uuid))
    GROUP BY a.uuid, a.pathname
)
SELECT source_page, target_page, count(*) AS times
FROM followed
GROUP BY source_page, target_page
ORDER BY times DESC, source_page, target_page
LIMIT 1000;
