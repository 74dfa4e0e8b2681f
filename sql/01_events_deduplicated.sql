-- events_deduplicated: every event once.
--
-- Delivery is at least once, so a row can arrive again: sent twice after a lost answer, late, out of an
-- outbox, or by a client that corrects what it sent. Copies share uuid, event and distinct_id, PostHog's
-- key; some SDKs give one uuid to different events, and those are all kept. The timestamp is no part of
-- the key: clients that correct for clock skew change it on every attempt. A missing team_id is a team
-- of its own.
--
-- The first copy to arrive gives the time, so that a late copy moves nothing. Among copies of that time
-- the one accepted last gives the content, as PostHog documents for sending again to correct.
-- __ingest_ts is the sink's moment of arrival, created_at the Worker's of acceptance.
--
-- Columns: those of events. Cost: one scan, two windows over one hash partition per event; O(n log n) in
-- the worst case, memory for the whole result. Filter by __ingest_ts inside a copy of this view for large
-- tables.
CREATE OR REPLACE VIEW events_deduplicated AS
SELECT * EXCLUDE (hogflare_first_timestamp)
FROM (
    SELECT
        *,
        first_value("timestamp") OVER (
            PARTITION BY team_id, uuid, event, distinct_id
            ORDER BY __ingest_ts, created_at, "timestamp"
        ) AS hogflare_first_timestamp
    FROM events
)
QUALIFY row_number() OVER (
    PARTITION BY team_id, uuid, event, distinct_id
    ORDER BY
        ("timestamp" IS NOT DISTINCT FROM hogflare_first_timestamp) DESC,
        created_at DESC,
        __ingest_ts DESC
) = 1;
