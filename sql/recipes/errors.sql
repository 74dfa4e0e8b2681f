-- errors: exceptions by issue, the most frequent first.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': seen since, UTC
--
-- Cost: the view exception_issues.
SELECT
    exception_fingerprint,
    exception_type,
    exception_message,
    occurrences,
    people,
    sessions,
    first_seen,
    last_seen
FROM exception_issues
WHERE team_id = $team_id AND last_seen >= $since
ORDER BY occurrences DESC, exception_fingerprint
LIMIT 500;
