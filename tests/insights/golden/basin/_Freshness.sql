-- until when there are rows
SELECT CAST(round(date_part('epoch', max(__ingest_ts)) * 1000000) AS BIGINT) AS t FROM "events" WHERE __ingest_ts >= '2026-03-28T12:00:00.000000Z';
