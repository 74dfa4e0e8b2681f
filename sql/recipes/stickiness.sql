-- stickiness: on how many days of the range people were active: how many people for each number of days.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: of events in the range the key and person_id.
WITH person_days AS (
    SELECT DISTINCT person_id, date_trunc('day', "timestamp") AS day
    FROM activity
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until
),
counted AS (
    SELECT person_id, count(*) AS days FROM person_days GROUP BY person_id
)
SELECT days, count(*) AS people
FROM counted
GROUP BY days
ORDER BY days
LIMIT 10000;
