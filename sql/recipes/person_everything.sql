-- person_everything: every row there is about the person whose distinct_id this is (GDPR), copies included, in all streams.
--
-- The ids are those that belong to the person now. examples/delete_person.py removes exactly these rows.
--
-- Parameters:
-- $team_id = 1: the project
-- $distinct_id = 'user-1': any id of the person
--
-- Cost: of events distinct_id, person_id, uuid and times of the whole table; of the other streams all of it.
WITH people AS (
    SELECT person_id
    FROM person_distinct_ids
    WHERE team_id = $team_id AND distinct_id = $distinct_id
    UNION
    SELECT person_id
    FROM activity
    WHERE team_id = $team_id AND distinct_id = $distinct_id
),
ids AS (
    SELECT d.distinct_id
    FROM person_distinct_ids AS d
    JOIN people AS p ON p.person_id = d.person_id
    WHERE d.team_id = $team_id
    UNION
    SELECT a.distinct_id
    FROM activity AS a
    JOIN people AS p ON p.person_id = a.person_id
    WHERE a.team_id = $team_id
    UNION
    SELECT distinct_id
    FROM rejects
    WHERE team_id = $team_id AND distinct_id = $distinct_id
)
SELECT 'events' AS stream, e.uuid, e.event AS what, e.distinct_id, e."timestamp"
FROM events AS e
JOIN ids AS i ON i.distinct_id = e.distinct_id
WHERE e.team_id = $team_id
UNION ALL
SELECT 'persons' AS stream, e.uuid, e.operation AS what, e.distinct_id, e."timestamp"
FROM persons AS e
JOIN ids AS i ON i.distinct_id = e.distinct_id
WHERE e.team_id = $team_id
UNION ALL
SELECT 'distinct_ids' AS stream, e.uuid, 'distinct_id' AS what, e.distinct_id, e."timestamp"
FROM distinct_ids AS e
JOIN ids AS i ON i.distinct_id = e.distinct_id
WHERE e.team_id = $team_id
UNION ALL
SELECT 'rejects' AS stream, e.uuid, e.reason AS what, e.distinct_id, e.received_at AS "timestamp"
FROM rejects AS e
JOIN ids AS i ON i.distinct_id = e.distinct_id
WHERE e.team_id = $team_id
ORDER BY stream, "timestamp", uuid
LIMIT 10000;
