-- replays: recorded sessions, the latest first, with what happened in them: pages, errors, length.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: the views replay_index and sessions, and of $exception events the key and session_id.
SELECT
    r.session_id,
    r.distinct_id,
    s.person_id,
    r.started_at,
    r.ended_at,
    date_part('epoch', r.ended_at) - date_part('epoch', r.started_at) AS seconds,
    coalesce(s.pages, 0) AS pages,
    coalesce(x.errors, 0) AS errors,
    r.parts,
    r.bytes
FROM replay_index AS r
LEFT JOIN sessions AS s ON s.session_id = r.session_id AND s.team_id = r.team_id
LEFT JOIN (
    SELECT session_id, count(*) AS errors
    FROM activity
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until AND event = '$exception' AND session_id IS NOT NULL
    GROUP BY session_id
) AS x ON x.session_id = r.session_id
WHERE r.team_id = $team_id AND r.started_at >= $since AND r.started_at < $until
ORDER BY r.started_at DESC, r.session_id
LIMIT 500;
