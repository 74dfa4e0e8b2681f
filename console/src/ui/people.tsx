// Who is behind a number, asked for when a number is opened.
import { later } from "./later";

export const PeoplePanel = later(() => import("./people-panel").then((part) => part.PeoplePanel));
