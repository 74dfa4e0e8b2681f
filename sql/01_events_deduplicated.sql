-- events_deduplicated: every event once.
--
-- Delivery is at least once, so a row can arrive again: sent twice after a lost answer, or late, out of
-- an outbox. Copies share the client's uuid, though not always the timestamp (clients that correct for
-- clock skew on every attempt change it). The key is therefore (team_id, uuid) alone, a missing team_id
-- being a team of its own, and the first copy to arrive is kept: an answer given once stays the same
-- when a late copy lands. __ingest_ts is the sink's moment of arrival, created_at the Worker's.
--
-- Columns: those of events. Cost: one scan, one hash partition per event; O(n log n) in the worst case,
-- memory for the whole result. Filter by __ingest_ts inside a copy of this view for large tables.
CREATE OR REPLACE VIEW events_deduplicated AS
SELECT *
FROM events
QUALIFY row_number() OVER (
    PARTITION BY team_id, uuid
    ORDER BY __ingest_ts, created_at, "timestamp"
) = 1;
