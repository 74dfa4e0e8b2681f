-- session_pages: with which pages sessions began and ended.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: the view sessions.
WITH chosen AS (
    SELECT entry_page, exit_page
    FROM sessions
    WHERE team_id = $team_id AND started_at >= $since AND started_at < $until
),
both_ends AS (
    SELECT entry_page AS page, 1 AS entries, 0 AS exits FROM chosen
    UNION ALL
    SELECT exit_page AS page, 0 AS entries, 1 AS exits FROM chosen
)
SELECT page, sum(entries) AS entries, sum(exits) AS exits
FROM both_ends
WHERE page IS NOT NULL
GROUP BY page
ORDER BY entries DESC, page
LIMIT 1000;
