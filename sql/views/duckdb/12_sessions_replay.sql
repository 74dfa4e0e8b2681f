-- sessions_replay: session recordings as the client sent them, one row a recording event.
--
-- A row of the stream may not exceed 1 MB, so the Worker splits a large recording: each part's
-- properties hold $hogflare_chunk_of (the whole recording's uuid), $hogflare_chunk_index (from 0),
-- $hogflare_chunk_count and $hogflare_chunk_data (a piece of the text of $snapshot_items). Joined in order
-- the pieces give the original text, byte for byte. Recordings that were not split pass through.
-- With a bucket bound as RECORDINGS the items lie there and the row says where (docs/RECORDINGS.md).
--
-- Columns: team_id, uuid (of the original event), distinct_id, person_id, session_id, window_id,
-- timestamp, chunk_count, chunks_present, is_complete, snapshot_data (JSON text; NULL until complete, and
-- for what lies in the bucket), recording_key (of the object; NULL: the row has the items), bytes and keys
-- (of inputs; both NULL until complete), started_at and ended_at (of the items; NULL: not in the bucket).
-- Cost: one scan of the deduplicated events, one hash aggregate of the recordings; memory for the
-- recordings selected: filter by session_id.
CREATE OR REPLACE VIEW sessions_replay AS
WITH texts AS (
    SELECT *, CAST(properties AS VARCHAR) AS properties_text FROM events_deduplicated
),
-- JSON functions write numbers and escapes anew. The Worker puts $snapshot_items last, so that its text
-- can be cut out as it came; inside a string the quotes would be escaped, so it is not found by mistake.
located AS (
    SELECT *, CASE WHEN strpos(properties_text, ',"$snapshot_items":') > 0 THEN substr(
        properties_text,
        strpos(properties_text, ',"$snapshot_items":') + length(',"$snapshot_items":'),
        length(properties_text) - strpos(properties_text, ',"$snapshot_items":')
            - length(',"$snapshot_items":')
    ) END AS verbatim
    FROM texts
),
parts AS (
    SELECT
        team_id,
        coalesce(json_extract_string(properties, '$."$hogflare_chunk_of"'), uuid) AS uuid,
        distinct_id,
        person_id,
        json_extract_string(properties, '$."$session_id"') AS session_id,
        json_extract_string(properties, '$."$window_id"') AS window_id,
        "timestamp",
        __ingest_ts,
        json_extract_string(properties, '$."$hogflare_chunk_of"') IS NULL AS is_whole,
        coalesce(
            try_cast(json_extract_string(properties, '$."$hogflare_chunk_index"') AS INTEGER), 0
        ) AS chunk_index,
        coalesce(
            try_cast(json_extract_string(properties, '$."$hogflare_chunk_count"') AS INTEGER), 1
        ) AS chunk_count,
        CASE
            WHEN json_extract_string(properties, '$."$hogflare_chunk_of"') IS NOT NULL
                THEN json_extract_string(properties, '$."$hogflare_chunk_data"')
            ELSE coalesce(
                CASE WHEN json_valid(verbatim) THEN verbatim END,
                CAST(coalesce(
                    json_extract(properties, '$."$snapshot_data"'),
                    json_extract(properties, '$."$snapshot_items"')
                ) AS VARCHAR)
            )
        END AS data,
        json_extract_string(properties, '$."$hogflare_recording_key"') AS recording_key,
        try_cast(json_extract_string(properties, '$."$hogflare_recording_bytes"') AS BIGINT) AS recording_bytes,
        try_cast(json_extract_string(properties, '$."$hogflare_recording_keys"') AS BIGINT) AS recording_keys,
        try_cast(json_extract_string(properties, '$."$hogflare_recording_first_ms"') AS BIGINT) AS first_ms,
        try_cast(json_extract_string(properties, '$."$hogflare_recording_last_ms"') AS BIGINT) AS last_ms
    FROM located
    WHERE event IN ('$snapshot', '$snapshot_items')
),
-- A request that was sent again may have been split again, under new uuids of the parts. Of a whole
-- event and parts of the same one, the whole is enough.
distinct_parts AS (
    SELECT *
    FROM parts
    QUALIFY row_number() OVER (
        PARTITION BY team_id, uuid, is_whole, chunk_count, chunk_index ORDER BY __ingest_ts
    ) = 1
),
joined AS (
    SELECT
        team_id,
        uuid,
        arg_min(distinct_id, chunk_index) AS distinct_id,
        arg_min(person_id, chunk_index) AS person_id,
        arg_min(session_id, chunk_index) AS session_id,
        arg_min(window_id, chunk_index) AS window_id,
        arg_min("timestamp", chunk_index) AS "timestamp",
        chunk_count,
        is_whole,
        count(data) FILTER (WHERE chunk_index BETWEEN 0 AND chunk_count - 1) AS chunks_present,
        string_agg(data, '' ORDER BY chunk_index) AS joined_data,
        any_value(recording_key) AS recording_key,
        any_value(recording_bytes) AS recording_bytes,
        any_value(recording_keys) AS recording_keys,
        any_value(first_ms) AS first_ms,
        any_value(last_ms) AS last_ms
    FROM distinct_parts
    GROUP BY team_id, uuid, is_whole, chunk_count
),
complete AS (
    SELECT
        *,
        recording_key IS NOT NULL OR chunks_present = chunk_count AS is_complete,
        CASE
            WHEN recording_key IS NULL AND chunks_present = chunk_count THEN joined_data
        END AS snapshot_data
    FROM joined
)
SELECT
    team_id,
    uuid,
    distinct_id,
    person_id,
    session_id,
    window_id,
    "timestamp",
    chunk_count,
    chunks_present,
    is_complete,
    snapshot_data,
    recording_key,
    coalesce(recording_bytes, length(snapshot_data)) AS bytes,
    -- Input events of rrweb (incremental source 5), counted in the text: no JSON function needed.
    coalesce(
        recording_keys,
        (length(snapshot_data) - length(replace(snapshot_data, '"source":5,', ''))) // 11
    ) AS keys,
    to_timestamp(first_ms / 1000.0) AS started_at,
    to_timestamp(last_ms / 1000.0) AS ended_at
FROM complete
QUALIFY row_number() OVER (
    PARTITION BY team_id, uuid
    ORDER BY is_complete DESC, is_whole DESC, chunk_count
) = 1;
