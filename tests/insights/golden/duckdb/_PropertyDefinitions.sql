-- properties of events
SELECT properties FROM (SELECT properties, substr(uuid, 25) AS at_random FROM "events" WHERE team_id = 1 AND "timestamp" >= '2026-03-22T12:00:00.000000Z' AND event IN ('it''s', 'b')) AS sample ORDER BY at_random LIMIT 500;
