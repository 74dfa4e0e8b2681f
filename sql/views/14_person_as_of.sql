-- person_as_of: each event's person as it was then, also where the row does not say.
--
-- With HOGFLARE_PERSON_PROPERTIES=changed or off, and on lean rows of people without properties, an event's
-- row has no person_properties. This puts them back from the persons stream: the state of the newest version of the
-- event's person that was made by the time the event was accepted. A request's changes of one person are one row
-- there, so that its earlier events show the state after them; where the row has its own, that counts.
-- What a row shows of the person's last sight alone ($current_url, $browser, $os and the like) is no change that is
-- stored, as at PostHog: the event itself has it.
-- Events of no person (personless ones, recordings) are not here.
--
-- Columns: team_id, uuid, event, distinct_id, person_id (as stored), created_at, person_properties (JSON text).
-- Cost: of events the key, person_id, person_properties and times; of persons properties; a hash join by person.
CREATE OR REPLACE VIEW person_as_of AS
SELECT
    e.team_id,
    e.uuid,
    e.event,
    e.distinct_id,
    first_of(e.person_id, e.created_at) AS person_id,
    min(e.created_at) AS created_at,
    coalesce(
        first_of(e.person_properties, e.created_at), last_of(p.properties, p.version, p."timestamp"), '{}'
    ) AS person_properties
FROM (
    SELECT
        team_id,
        uuid,
        event,
        distinct_id,
        first_of(person_id, created_at, __ingest_ts) AS person_id,
        first_of(person_properties, created_at, __ingest_ts) AS person_properties,
        min(created_at) AS created_at
    FROM events
    WHERE person_mode = 'full' AND person_id IS NOT NULL
    GROUP BY team_id, uuid, event, distinct_id
) AS e
LEFT JOIN persons AS p
    ON p.person_id = e.person_id
    AND p.team_id IS NOT DISTINCT FROM e.team_id
    AND p."timestamp" <= e.created_at
    AND NOT p.is_deleted
GROUP BY e.team_id, e.uuid, e.event, e.distinct_id;
