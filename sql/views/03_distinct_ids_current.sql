-- distinct_ids_current: whom the stream distinct_ids says an id belongs to now, one row an id.
--
-- The stream has a row whenever an id's person is not (any more) the one its own uuid names; the newest
-- version decides. Ids without a row belong to the person their events were stored with.
--
-- Columns: team_id, distinct_id, person_id, version, is_deleted (the id belongs to nobody), timestamp.
-- Cost: one scan of distinct_ids, which is small beside events; a hash aggregate.
CREATE OR REPLACE VIEW distinct_ids_current AS
SELECT
    team_id,
    distinct_id,
    last_of(person_id, version, "timestamp") AS person_id,
    max(version) AS version,
    last_of(is_deleted, version, "timestamp") AS is_deleted,
    last_of("timestamp", version, "timestamp") AS "timestamp"
FROM distinct_ids
GROUP BY team_id, distinct_id;
