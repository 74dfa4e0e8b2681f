-- SQL of one team
WITH events AS (SELECT * FROM "events" WHERE team_id = 1), persons AS (SELECT * FROM "persons" WHERE team_id = 1), distinct_ids AS (SELECT * FROM "distinct_ids" WHERE team_id = 1), rejects AS (SELECT * FROM "rejects" WHERE team_id = 1) SELECT * FROM (SELECT event, count(*) AS n FROM events WHERE event <> 'it''s' GROUP BY event) AS q LIMIT 9999;
