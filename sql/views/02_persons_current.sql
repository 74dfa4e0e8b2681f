-- persons_current: the present state of each person, one row a person.
--
-- The persons stream holds one snapshot for every change. The highest version is the present one; among
-- copies of one version a tombstone wins, then the later change. Deleted and merged-away people are gone
-- (a later, higher version that is not deleted brings a person back).
--
-- Columns: those of persons, of the latest snapshot. Cost: one scan, one hash partition per person;
-- O(n log n) in the number of snapshots.
CREATE OR REPLACE VIEW persons_current AS
SELECT *
FROM (
    SELECT *
    FROM persons
    QUALIFY row_number() OVER (
        PARTITION BY team_id, person_id
        ORDER BY version DESC, is_deleted DESC, "timestamp" DESC, __ingest_ts
    ) = 1
)
WHERE NOT is_deleted;
