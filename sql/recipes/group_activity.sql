-- group_activity: which groups (companies, say) are active: events, people and last sight by the key in group0.
--
-- POSTHOG_GROUP_TYPE_0 names the type; put group1 to group4 in its place for the others.
--
-- Parameters:
-- $team_id = 1: the project
-- $since = '2026-10-01T00:00:00Z': first moment, UTC
-- $until = '2026-11-01T00:00:00Z': end, not included
--
-- Cost: of events in the range the key, person_id and group0.
WITH members AS (
    SELECT group0, person_id, count(*) AS events, max("timestamp") AS last_seen
    FROM activity
    WHERE team_id = $team_id AND "timestamp" >= $since AND "timestamp" < $until AND group0 IS NOT NULL AND group0 <> ''
    GROUP BY group0, person_id
)
SELECT group0, sum(events) AS events, count(*) AS people, max(last_seen) AS last_seen
FROM members
GROUP BY group0
ORDER BY events DESC, group0
LIMIT 1000;
