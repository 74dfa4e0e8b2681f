-- trends: an event's count and its people each day, broken down by browser.
--
-- Put any column of activity in the place of browser; nothing and an empty text are one value.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
-- $event = '$pageview': the event
--
-- Cost: of events in the range the key, person_id and the breakdown.
WITH chosen AS (
    SELECT
        date_trunc('day', "timestamp") AS day,
        coalesce(nullif(browser, ''), '(none)') AS breakdown,
        person_id,
        count(*) AS events
    FROM activity
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until AND event = $event
    GROUP BY date_trunc('day', "timestamp"), coalesce(nullif(browser, ''), '(none)'), person_id
)
SELECT day, breakdown, sum(events) AS events, count(*) AS people
FROM chosen
GROUP BY day, breakdown
ORDER BY day, breakdown
LIMIT 10000;
