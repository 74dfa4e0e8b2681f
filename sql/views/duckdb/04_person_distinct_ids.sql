-- person_distinct_ids: which person a distinct_id belongs to now, one row a distinct_id.
--
-- The table distinct_ids says it, and where it has a row for an id that row decides: Basin SQL, which knows no
-- recursion, has this part alone (../basin). For tables from before that stream the rest follows the
-- snapshots of persons, by DuckDB's means.
--
-- Every snapshot claims ids for its person: the one its operation concerned and those it lists. A
-- tombstone with merged_into says where the person went; its claims follow, through any chain of merges.
-- Only claims of a person's present (or last) life count: a person deleted outright takes its claims
-- along, also when the same person_id is created again. If claims still disagree the latest change wins.
-- A list may therefore be missing or cut short in some snapshots without a distinct_id being lost.
--
-- The survivor need not have a row of its own yet: rows of different people arrive in any order.
-- Chains are followed for at most 64 merges, which also ends on a cycle that broken data might hold; ids
-- whose chain does not end at a person are left out.
--
-- Columns: team_id, distinct_id, person_id, merges (how many merges lie between the person that first
-- claimed the id and the present one), claimed_at. Cost: O(c log c) in the number of claims (snapshots
-- times listed ids), plus one hash join of the merged people per step of the longest chain.
CREATE OR REPLACE VIEW person_distinct_ids AS
WITH RECURSIVE
snapshots AS (
    SELECT *
    FROM persons
    QUALIFY row_number() OVER (
        PARTITION BY team_id, person_id, version
        ORDER BY is_deleted DESC, "timestamp" DESC, __ingest_ts
    ) = 1
),
stepped AS (
    SELECT
        *,
        NOT is_deleted AND coalesce(
            lag(is_deleted) OVER (PARTITION BY team_id, person_id ORDER BY version), false
        ) AS revived
    FROM snapshots
),
lives AS (
    SELECT
        *,
        sum(revived::INTEGER) OVER (
            PARTITION BY team_id, person_id ORDER BY version
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS life
    FROM stepped
),
latest AS (
    SELECT team_id, person_id, life, is_deleted, merged_into
    FROM lives
    QUALIFY row_number() OVER (PARTITION BY team_id, person_id ORDER BY version DESC) = 1
),
-- Each claiming person, and step by step where it went.
chain AS (
    SELECT team_id, person_id AS claimant, person_id AS at_person, 0 AS merges
    FROM latest
    UNION ALL
    SELECT chain.team_id, chain.claimant, latest.merged_into, chain.merges + 1
    FROM chain
    JOIN latest
        ON latest.team_id IS NOT DISTINCT FROM chain.team_id
        AND latest.person_id = chain.at_person
    WHERE latest.is_deleted AND latest.merged_into IS NOT NULL AND chain.merges < 64
),
owners AS (
    SELECT chain.team_id, chain.claimant, chain.at_person AS person_id, chain.merges
    FROM chain
    LEFT JOIN latest
        ON latest.team_id IS NOT DISTINCT FROM chain.team_id
        AND latest.person_id = chain.at_person
    WHERE latest.is_deleted IS NOT TRUE
),
claims AS (
    SELECT
        lives.team_id, lives.person_id, lives."timestamp", lives.version,
        unnest(list_append(
            coalesce(from_json(lives.distinct_ids, '["VARCHAR"]'), []::VARCHAR[]),
            lives.distinct_id
        )) AS distinct_id
    FROM lives
    JOIN latest
        ON latest.team_id IS NOT DISTINCT FROM lives.team_id
        AND latest.person_id = lives.person_id
        AND latest.life = lives.life
),
claimed AS (
    SELECT
        claims.team_id,
        claims.distinct_id,
        owners.person_id,
        owners.merges,
        claims."timestamp" AS claimed_at
    FROM claims
    JOIN owners
        ON owners.team_id IS NOT DISTINCT FROM claims.team_id
        AND owners.claimant = claims.person_id
    WHERE claims.distinct_id IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY claims.team_id, claims.distinct_id
        ORDER BY claims."timestamp" DESC, owners.merges, claims.version DESC, owners.person_id
    ) = 1
)
SELECT team_id, distinct_id, person_id, NULL AS merges, "timestamp" AS claimed_at
FROM distinct_ids_current
WHERE NOT is_deleted
UNION ALL
SELECT c.team_id, c.distinct_id, c.person_id, c.merges, c.claimed_at
FROM claimed AS c
WHERE NOT EXISTS (
    SELECT 1 FROM distinct_ids_current AS d
    WHERE d.distinct_id = c.distinct_id AND d.team_id IS NOT DISTINCT FROM c.team_id
);
