-- retention: of the people first seen in a week of the range, how many came back in each later week of it.
--
-- Weeks begin on Monday. A person's first week is that of its first event in the range.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: of events in the range the key and person_id.
WITH person_weeks AS (
    SELECT DISTINCT person_id, date_trunc('week', "timestamp") AS week
    FROM activity
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until
),
cohorts AS (
    SELECT person_id, min(week) AS first_week FROM person_weeks GROUP BY person_id
)
SELECT
    c.first_week,
    CAST(round((date_part('epoch', w.week) - date_part('epoch', c.first_week)) / 604800.0) AS BIGINT) AS weeks_later,
    count(*) AS people
FROM cohorts AS c
JOIN person_weeks AS w ON w.person_id = c.person_id
GROUP BY
    c.first_week,
    CAST(round((date_part('epoch', w.week) - date_part('epoch', c.first_week)) / 604800.0) AS BIGINT)
ORDER BY first_week, weeks_later
LIMIT 10000;
