-- revenue: revenue, purchases and buyers by plan: properties "revenue" and "plan" of the event.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
-- $conversion = 'purchase': the event
--
-- Cost: of events in the range the key, person_id and custom_properties (at most 1,900 bytes each).
WITH purchases AS (
    SELECT
        person_id,
        coalesce(json_get_str(custom_properties, 'plan'), '(none)') AS plan,
        json_get_float(custom_properties, 'revenue') AS revenue
    FROM activity
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until AND event = $conversion
),
buyers AS (
    SELECT plan, person_id, count(*) AS purchases, sum(revenue) AS revenue
    FROM purchases
    GROUP BY plan, person_id
)
SELECT plan, sum(revenue) AS revenue, sum(purchases) AS purchases, count(*) AS people
FROM buyers
GROUP BY plan
ORDER BY plan
LIMIT 1000;
