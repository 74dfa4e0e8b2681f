-- replay_sessions: one row a recorded session, to choose from.
--
-- Columns: team_id, session_id, distinct_id and person_id (of its last event), started_at, ended_at,
-- duration_ms, windows, pages ($pageview), clicks ($autocapture of a click), keys (input events of the
-- recording), errors ($exception), bytes (of the recording as it arrived), is_complete.
-- Cost: one scan of the deduplicated events and of their recordings; filter by "timestamp" below it.
CREATE OR REPLACE VIEW replay_sessions AS
WITH recordings AS (
    SELECT
        team_id,
        session_id,
        min("timestamp") AS started_at,
        max("timestamp") AS ended_at,
        count(DISTINCT window_id) AS windows,
        sum(bytes) AS bytes,
        sum(keys) AS keys,
        bool_and(is_complete) AS is_complete,
        arg_max(distinct_id, "timestamp") AS distinct_id
    FROM sessions_replay
    WHERE session_id IS NOT NULL
    GROUP BY team_id, session_id
),
acts AS (
    SELECT
        team_id,
        json_extract_string(properties, '$."$session_id"') AS session_id,
        arg_max(distinct_id, "timestamp") AS distinct_id,
        arg_max(person_id, "timestamp") AS person_id,
        min("timestamp") AS started_at,
        max("timestamp") AS ended_at,
        count(*) FILTER (WHERE event = '$pageview') AS pages,
        count(*) FILTER (
            WHERE event = '$autocapture'
            AND json_extract_string(properties, '$."$event_type"') = 'click'
        ) AS clicks,
        count(*) FILTER (WHERE event = '$exception') AS errors
    FROM events_deduplicated
    WHERE event NOT IN ('$snapshot', '$snapshot_items')
    GROUP BY ALL
)
SELECT
    recordings.team_id,
    recordings.session_id,
    coalesce(acts.distinct_id, recordings.distinct_id) AS distinct_id,
    acts.person_id,
    least(recordings.started_at, coalesce(acts.started_at, recordings.started_at)) AS started_at,
    greatest(recordings.ended_at, coalesce(acts.ended_at, recordings.ended_at)) AS ended_at,
    date_diff('millisecond',
        least(recordings.started_at, coalesce(acts.started_at, recordings.started_at)),
        greatest(recordings.ended_at, coalesce(acts.ended_at, recordings.ended_at))) AS duration_ms,
    recordings.windows,
    coalesce(acts.pages, 0) AS pages,
    coalesce(acts.clicks, 0) AS clicks,
    coalesce(recordings.keys, 0) AS keys,
    coalesce(acts.errors, 0) AS errors,
    recordings.bytes,
    recordings.is_complete
FROM recordings
LEFT JOIN acts USING (team_id, session_id);
