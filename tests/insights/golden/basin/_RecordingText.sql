-- the text of rows
SELECT uuid, max(properties) AS properties FROM "events" WHERE team_id = 1 AND session_id = 'a''b' AND event IN ('$snapshot', '$snapshot_items') AND "timestamp" BETWEEN '2026-03-28T12:00:00.000000Z' AND '2026-03-29T12:00:00.000000Z' AND uuid IN ('it''s', 'b') GROUP BY uuid LIMIT 500;
