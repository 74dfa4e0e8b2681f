-- exception_issues: exceptions by issue, that is by fingerprint.
--
-- Columns: team_id, exception_fingerprint, exception_type and exception_message (of the latest), occurrences,
-- people, sessions, first_seen, last_seen. Cost: activity three times, with nine columns in all.
CREATE OR REPLACE VIEW exception_issues AS
SELECT
    o.team_id,
    o.exception_fingerprint,
    o.exception_type,
    o.exception_message,
    o.occurrences,
    p.people,
    coalesce(s.sessions, 0) AS sessions,
    o.first_seen,
    o.last_seen
FROM (
    SELECT
        team_id,
        exception_fingerprint,
        last_of(exception_type, "timestamp", uuid) AS exception_type,
        last_of(exception_message, "timestamp", uuid) AS exception_message,
        count(*) AS occurrences,
        min("timestamp") AS first_seen,
        max("timestamp") AS last_seen
    FROM activity
    WHERE event = '$exception'
    GROUP BY team_id, exception_fingerprint
) AS o
JOIN (
    SELECT team_id, exception_fingerprint, count(*) AS people
    FROM (
        SELECT DISTINCT team_id, exception_fingerprint, person_id
        FROM activity
        WHERE event = '$exception'
    ) AS each_person
    GROUP BY team_id, exception_fingerprint
) AS p
    ON p.exception_fingerprint IS NOT DISTINCT FROM o.exception_fingerprint
    AND p.team_id IS NOT DISTINCT FROM o.team_id
LEFT JOIN (
    SELECT team_id, exception_fingerprint, count(*) AS sessions
    FROM (
        SELECT DISTINCT team_id, exception_fingerprint, session_id
        FROM activity
        WHERE event = '$exception' AND session_id IS NOT NULL
    ) AS each_session
    GROUP BY team_id, exception_fingerprint
) AS s
    ON s.exception_fingerprint IS NOT DISTINCT FROM o.exception_fingerprint
    AND s.team_id IS NOT DISTINCT FROM o.team_id;
