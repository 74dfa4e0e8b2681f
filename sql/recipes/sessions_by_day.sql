-- sessions_by_day: sessions begun each day: how many, how long on average, which part bounced.
--
-- The bounce rate is of sessions that have a page at all.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: the view sessions.
SELECT
    date_trunc('day', started_at) AS day,
    count(*) AS sessions,
    avg(seconds) AS mean_seconds,
    avg(CASE WHEN is_bounce THEN 1.0 WHEN NOT is_bounce THEN 0.0 END) AS bounce_rate
FROM sessions
WHERE team_id = $team_id AND started_at >= $since AND started_at < $until
GROUP BY date_trunc('day', started_at)
ORDER BY day
LIMIT 10000;
