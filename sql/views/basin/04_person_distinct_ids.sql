-- person_distinct_ids on Basin SQL: what the stream distinct_ids says, without DuckDB's recursion.
--
-- Columns and cost: as ../duckdb/04_person_distinct_ids.sql and ../03_distinct_ids_current.sql.
CREATE OR REPLACE VIEW person_distinct_ids AS
SELECT team_id, distinct_id, person_id, "timestamp" AS claimed_at
FROM distinct_ids_current
WHERE NOT is_deleted;
