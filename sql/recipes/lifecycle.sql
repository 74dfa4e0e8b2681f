-- lifecycle: each day's people as new, returning, resurrecting, and those gone dormant since the day before.
--
-- New: first event in the table that day. Returning: active the day before. Resurrecting: neither. Dormant:
-- active the day before and not this day.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: of events up to the end the key and person_id.
WITH person_days AS (
    SELECT DISTINCT person_id, date_trunc('day', "timestamp") AS day
    FROM activity
    WHERE team_id = $team_id AND "timestamp" < $until
),
firsts AS (
    SELECT person_id, min(day) AS first_day FROM person_days GROUP BY person_id
),
active AS (
    SELECT
        d.day,
        CASE
            WHEN f.first_day = d.day THEN 'new'
            WHEN b.day IS NOT NULL THEN 'returning'
            ELSE 'resurrecting'
        END AS status
    FROM person_days AS d
    JOIN firsts AS f ON f.person_id = d.person_id
    LEFT JOIN person_days AS b
        ON b.person_id = d.person_id
        AND b.day = d.day - INTERVAL '1 day'
),
gone AS (
    SELECT d.day + INTERVAL '1 day' AS day, 'dormant' AS status
    FROM person_days AS d
    LEFT JOIN person_days AS a
        ON a.person_id = d.person_id
        AND a.day = d.day + INTERVAL '1 day'
    WHERE a.day IS NULL
),
both_ways AS (
    SELECT day, status FROM active
    UNION ALL
    SELECT day, status FROM gone
)
SELECT day, status, count(*) AS people
FROM both_ways
WHERE day >= $since AND day < $until
GROUP BY day, status
ORDER BY day, status
LIMIT 10000;
