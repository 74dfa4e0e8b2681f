// Who is behind a number: the panel is there at once, its list is asked for when a number is opened.
import { go } from "../lib/router";
import { Sheet } from "./kit";
import { later } from "./later";
import type { PeopleListProps } from "./people-panel";

const PeopleList = later(() => import("./people-panel").then((part) => part.PeopleList));

export function PeoplePanel({ title, ...of }: PeopleListProps & { title: string }) {
  return (
    <Sheet title={title} onClose={() => go({ sel: "" })}>
      <PeopleList {...of} />
    </Sheet>
  );
}
