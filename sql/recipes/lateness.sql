-- lateness: how late events arrive, and how many copies they bring, by the day they happened.
--
-- Seconds between the event's time and its acceptance; negative is a clock ahead of ours.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: of events in the range the key and three moments.
WITH rows_of_events AS (
    SELECT
        team_id,
        uuid,
        event,
        distinct_id,
        count(*) AS copies,
        min("timestamp") AS happened_at,
        min(created_at) AS accepted_at
    FROM events
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until
    GROUP BY team_id, uuid, event, distinct_id
)
SELECT
    date_trunc('day', happened_at) AS day,
    count(*) AS events,
    sum(copies) - count(*) AS duplicates,
    avg(date_part('epoch', accepted_at) - date_part('epoch', happened_at)) AS mean_seconds_late,
    max(date_part('epoch', accepted_at) - date_part('epoch', happened_at)) AS most_seconds_late,
    sum(CASE WHEN accepted_at < happened_at THEN 1 ELSE 0 END) AS from_the_future
FROM rows_of_events
GROUP BY date_trunc('day', happened_at)
ORDER BY day
LIMIT 10000;
