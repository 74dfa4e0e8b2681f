-- funnel: how many people did three events in this order, all within a window from the first.
--
-- Ordered as PostHog's: other events between do not matter, a later start may rescue an earlier one, the
-- window counts from the first step and includes its end, equal times count in the order of the steps.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
-- $step_1 = '$pageview': event of the first step
-- $step_2 = 'signed_up': of the second
-- $step_3 = 'purchase': of the third
-- $window_seconds = 604800: the window
--
-- Cost: of events in the range the key and person_id; joins by person.
WITH steps AS (
    SELECT DISTINCT person_id, event, date_part('epoch', "timestamp") AS moment
    FROM activity
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until AND event IN ($step_1, $step_2, $step_3)
),
first_steps AS (
    SELECT person_id, moment FROM steps WHERE event = $step_1
),
second_steps AS (
    SELECT f.person_id, f.moment AS began, min(s.moment) AS moment
    FROM first_steps AS f
    JOIN steps AS s
        ON s.person_id = f.person_id
        AND s.event = $step_2
        AND s.moment >= f.moment
        AND s.moment <= f.moment + $window_seconds
    GROUP BY f.person_id, f.moment
),
third_steps AS (
    SELECT t.person_id, t.began, min(s.moment) AS moment
    FROM second_steps AS t
    JOIN steps AS s
        ON s.person_id = t.person_id
        AND s.event = $step_3
        AND s.moment >= t.moment
        AND s.moment <= t.began + $window_seconds
    GROUP BY t.person_id, t.began
),
reached AS (
    SELECT 1 AS step, person_id FROM first_steps
    UNION
    SELECT 2 AS step, person_id FROM second_steps
    UNION
    SELECT 3 AS step, person_id FROM third_steps
)
SELECT step, count(*) AS people
FROM reached
GROUP BY step
ORDER BY step
LIMIT 10;
