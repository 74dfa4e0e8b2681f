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
-- Columns: those of events. Cost: all columns that are asked for and the key twice, one hash join, one
-- window; on Basin SQL windows have a budget, so ask "activity" there where its columns are enough.
CREATE OR REPLACE VIEW events_deduplicated AS
SELECT e.*
FROM events AS e
JOIN (
    SELECT
        team_id, uuid, event, distinct_id,
        first_of("timestamp", __ingest_ts, created_at) AS first_timestamp
    FROM events
    GROUP BY team_id, uuid, event, distinct_id
) AS f
    ON e.uuid = f.uuid
    AND e.event = f.event
    AND e.distinct_id = f.distinct_id
    AND e.team_id IS NOT DISTINCT FROM f.team_id
QUALIFY row_number() OVER (
    PARTITION BY e.team_id, e.uuid, e.event, e.distinct_id
    ORDER BY
        CASE WHEN e."timestamp" IS NOT DISTINCT FROM f.first_timestamp THEN 0 ELSE 1 END,
        e.created_at DESC,
        e.__ingest_ts DESC
) = 1;
