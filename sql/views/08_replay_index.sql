-- replay_index: which sessions were recorded, without their recordings. Runs where replay_sessions does not.
--
-- Rows of recordings carry no person_id: the session's other events know whose it is (sessions).
--
-- Columns: team_id, session_id, distinct_id (of the last row), started_at, ended_at (of the recording), parts
-- (rows as stored, without copies), bytes (of the recording's properties).
-- Cost: of events the key and four columns, no properties.
CREATE OR REPLACE VIEW replay_index AS
SELECT
    team_id,
    session_id,
    last_of(distinct_id, "timestamp", uuid) AS distinct_id,
    min("timestamp") AS started_at,
    max("timestamp") AS ended_at,
    count(*) AS parts,
    sum(properties_bytes) AS bytes
FROM (
    SELECT
        team_id,
        uuid,
        distinct_id,
        first_of(session_id, __ingest_ts, created_at) AS session_id,
        first_of("timestamp", __ingest_ts, created_at) AS "timestamp",
        first_of(properties_bytes, __ingest_ts, created_at) AS properties_bytes
    FROM events
    WHERE event IN ('$snapshot', '$snapshot_items')
    GROUP BY team_id, uuid, distinct_id
) AS recorded
WHERE session_id IS NOT NULL
GROUP BY team_id, session_id;
