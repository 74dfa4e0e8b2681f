-- rejects: what was not accepted, or only with a warning: by kind and reason.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: of rejects in the range four columns.
SELECT kind, reason, count(*) AS times, max(received_at) AS last_seen
FROM rejects
WHERE (team_id = $team_id OR team_id IS NULL) AND received_at >= $since AND received_at < $until
GROUP BY kind, reason
ORDER BY times DESC, kind, reason
LIMIT 1000;
