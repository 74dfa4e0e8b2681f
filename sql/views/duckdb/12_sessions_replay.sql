-- sessions_replay: session recordings as the client sent them, one row a recording event.
--
-- A row of the stream may not exceed 1 MB, so the Worker splits a large recording: each part's
-- properties hold $hogflare_chunk_of (the whole recording's uuid), $hogflare_chunk_index (from 0),
-- $hogflare_chunk_count and $hogflare_chunk_data (a piece of the text of $snapshot_items). Joined in order
-- the pieces give the original text, byte for byte. Recordings that were not split pass through.
--
-- Columns: team_id, uuid (of the original event), distinct_id, person_id, session_id, window_id,
-- timestamp, chunk_count, chunks_present, is_complete, snapshot_data (JSON text; NULL until complete).
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
        END AS data
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
        string_agg(data, '' ORDER BY chunk_index) AS joined_data
    FROM distinct_parts
    GROUP BY team_id, uuid, is_whole, chunk_count
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
    chunks_present = chunk_count AS is_complete,
    CASE WHEN chunks_present = chunk_count THEN joined_data END AS snapshot_data
FROM joined
QUALIFY row_number() OVER (
    PARTITION BY team_id, uuid
    ORDER BY chunks_present = chunk_count DESC, is_whole DESC, chunk_count
) = 1;
