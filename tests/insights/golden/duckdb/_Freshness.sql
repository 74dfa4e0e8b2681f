-- until when there are rows
SELECT epoch_us(max(__ingest_ts)) AS t FROM "events" WHERE __ingest_ts >= '2026-03-28T12:00:00.000000Z';
