// Who is behind a number: the same question document makes the list.
import { useMemo, useState } from "preact/hooks";
import { exact, isPrivate, hide, number, shortId } from "../lib/format";
import { actorsOf } from "../lib/question";
import { pageHref } from "../lib/router";
import { personal } from "../lib/store";
import { useQuestion, type Query } from "../lib/ask";
import { Answered, Pages, Time } from "./kit";

export interface Actor {
  id: string;
  uuid?: string;
  name?: string;
  distinct_ids?: string[];
  properties?: Record<string, unknown>;
  created_at?: string;
  is_identified?: boolean;
}

export const personTitle = (actor: Actor) => {
  const name = actor.name ?? actor.distinct_ids?.[0] ?? actor.id;
  return !personal.value && isPrivate("", name) ? hide(name) : /^[0-9a-f-]{32,36}$/i.test(name) ? shortId(name) : name;
};

export function PersonLink({ actor }: { actor: Actor }) {
  const id = actor.distinct_ids?.[0] ?? "";
  const title = personTitle(actor);
  return id === "" ? (
    <span>{title}</span>
  ) : (
    <a class="cut" href={pageHref("people", { id })} dir="auto">
      {title}
      {title.includes("…@") && <span class="faint mono"> {actor.id.slice(0, 8)}</span>}
    </a>
  );
}

const PAGE = 100;

export interface PeopleListProps {
  source: Query;
  point: string;
  expected?: number | undefined;
  extra?: Record<string, unknown>;
}

export function PeopleList({ source, point, expected, extra }: PeopleListProps) {
  const [offset, page] = useState(0);
  const query = useMemo(
    () => actorsOf(source, point, { ...extra, ...(offset > 0 ? { offset } : {}) }),
    [JSON.stringify(source), point, offset],
  );
  const asked = useQuestion(query);
  return (
    <Answered
      asked={asked}
      name="people"
      height={240}
      isEmpty={(answer) => answer.results.length === 0 && offset === 0}
      empty="Nobody: the events behind this number have no person the table knows."
    >
      {(answer) => {
        const people = (answer.results as unknown[][]).map((row) => row[0] as Actor);
        const total = !answer.hasMore ? offset + people.length : null;
        return (
          <>
            <p class="meta pad">
              {total !== null ? (
                <>
                  <b>{exact(total)}</b> {total === 1 ? "person" : "people"}
                </>
              ) : (
                `People ${exact(offset + 1)} to ${exact(offset + people.length)}`
              )}
              {expected !== undefined && (
                <span>
                  {total !== null && total !== expected
                    ? ` behind ${exact(expected)}: the number counts events or several groups`
                    : ` of ${exact(expected)}`}
                </span>
              )}
            </p>
            <ul class="bars">
              {people.map((actor) => (
                <li key={actor.id}>
                  <PersonLink actor={actor} />
                  <span class="meta">{(actor.distinct_ids?.length ?? 0) > 1 ? `${number(actor.distinct_ids!.length)} ids` : ""}</span>
                  <span class="meta">
                    <Time at={actor.created_at} />
                  </span>
                </li>
              ))}
            </ul>
            {(answer.hasMore || offset > 0) && (
              <p class="row pad">
                <Pages offset={offset} size={PAGE} hasMore={answer.hasMore} go={page} />
              </p>
            )}
          </>
        );
      }}
    </Answered>
  );
}
