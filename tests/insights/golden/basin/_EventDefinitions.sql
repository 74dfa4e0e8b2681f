-- names of events
SELECT event, count(*) AS n, max(CAST(round(date_part('epoch', "timestamp") * 1000000) AS BIGINT)) AS last_t FROM "events" WHERE team_id = 1 AND "timestamp" >= '2026-02-27T12:00:00.000000Z' AND strpos(lower(event), lower('it''s')) > 0 GROUP BY event ORDER BY n DESC, event LIMIT 1000;
