-- replay_index: which sessions were recorded, without their recordings. Runs where replay_sessions does not.
--
-- Columns: team_id, session_id, distinct_id and person_id (of the last row), started_at, ended_at
-- (of the recording), parts (rows as stored, without copies), bytes (of the recording's properties).
-- Cost: of activity seven columns, no properties.
CREATE OR REPLACE VIEW replay_index AS
SELECT
    team_id,
    session_id,
    last_of(distinct_id, "timestamp", uuid) AS distinct_id,
    last_of(person_id, "timestamp", uuid) AS person_id,
    min("timestamp") AS started_at,
    max("timestamp") AS ended_at,
    count(*) AS parts,
    sum(properties_bytes) AS bytes
FROM activity
WHERE event IN ('$snapshot', '$snapshot_items') AND session_id IS NOT NULL
GROUP BY team_id, session_id;
