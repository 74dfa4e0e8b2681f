// Durable Object classes: what an upload's migrations or exports may do, as Cloudflare enforces it.
//
// A script keeps `tag`, the tag of its last migration, and `namespaces`, one per class it has made. Steps are
// all or nothing: `migrate` works on a copy and returns it.
import { hexId, Refusal } from "./http.mjs";

/** Names that a module exports, read from its text. */
export function exportedNames(source) {
  const names = new Set();
  for (const [, list] of source.matchAll(/export\s*\{([^}]*)\}/g)) {
    for (const entry of list.split(",")) {
      const name = entry
        .trim()
        .split(/\s+as\s+/)
        .at(-1);
      if (name) names.add(name);
    }
  }
  for (const [, name] of source.matchAll(/export\s+class\s+(\w+)/g)) names.add(name);
  return names;
}

const namespace = (script, name, sqlite) => ({ id: hexId(), name: `${script}_${name}`, script, class: name, use_sqlite: sqlite });

function add(context, classes, name, sqlite) {
  if (!context.exported.has(name)) {
    throw new Refusal(400, 10070, `Cannot apply new-class migration to class '${name}' that is not exported by script`);
  }
  if (classes.some((each) => each.class === name)) {
    throw new Refusal(
      400,
      10074,
      `Cannot apply new-${sqlite ? "sqlite-" : ""}class migration to class '${name}' that is already depended on by existing Durable Objects`,
    );
  }
  if (!sqlite && !context.allowKeyValue) {
    throw new Refusal(400, 10097, "In order to use Durable Objects, you must create a namespace using a new_sqlite_classes migration.");
  }
  classes.push(namespace(context.script, name, sqlite));
}

function take(classes, name, verb) {
  const at = classes.findIndex((each) => each.class === name);
  if (at < 0) throw new Refusal(400, 10072, `Cannot apply ${verb}-class migration to class '${name}': no such class`);
  return at;
}

function applyStep(context, classes, step) {
  for (const name of step.new_classes ?? []) add(context, classes, name, false);
  for (const name of step.new_sqlite_classes ?? []) add(context, classes, name, true);
  for (const { from, to } of step.renamed_classes ?? []) {
    const at = take(classes, from, "rename");
    classes[at] = { ...classes[at], class: to, name: `${context.script}_${to}` };
  }
  for (const name of step.deleted_classes ?? []) {
    if (context.bound.includes(name)) {
      throw new Refusal(400, 10061, `Cannot delete class '${name}' while a binding names it; remove the binding too`);
    }
    classes.splice(take(classes, name, "delete"), 1);
  }
}

/**
 * @param {{script: string, tag?: string, namespaces: object[], exported: Set<string>, bound: string[], allowKeyValue: boolean}} context
 * @param {{old_tag?: string, new_tag: string, steps?: object[]}} migrations
 */
export function migrate(context, { old_tag: oldTag, new_tag: newTag, steps, ...single }) {
  if ((oldTag ?? "") !== (context.tag ?? "")) {
    const current = context.tag ?? "";
    throw new Refusal(400, 10079, `Migration tag precondition failed; current tag is '${current}'`);
  }
  const classes = [...context.namespaces];
  for (const step of steps ?? [single]) applyStep(context, classes, step);
  return { tag: newTag, namespaces: classes };
}

/** The declared form: compared with what exists, every fault named at once. */
export function reconcile(context, declared) {
  const details = [];
  const refuse = (name, scenario, message) => details.push({ class: name, scenario, message });
  let classes = [...context.namespaces];
  for (const [name, { storage, state, renamed_to: to }] of Object.entries(declared)) {
    const existing = classes.find((each) => each.class === name);
    if (state === "deleted") {
      if (context.exported.has(name)) refuse(name, "tombstone_delete_class_still_in_code", "still exported");
      else classes = classes.filter((each) => each.class !== name);
    } else if (state === "renamed") {
      if (classes.some((each) => each.class === to)) refuse(name, "tombstone_renamed_to_occupied", `${to} exists`);
      else if (existing) classes[classes.indexOf(existing)] = { ...existing, class: to };
    } else if (!context.exported.has(name)) {
      refuse(name, "config_export_not_in_code", "not exported");
    } else if (existing === undefined) {
      classes.push(namespace(context.script, name, storage === "sqlite"));
    } else if (existing.use_sqlite !== (storage === "sqlite")) {
      refuse(name, "storage_type_mismatch", `the namespace is ${existing.use_sqlite ? "SQLite" : "KV"}-backed`);
    }
  }
  for (const each of classes) {
    if (declared[each.class] === undefined && !Object.values(declared).some(({ renamed_to: to }) => to === each.class)) {
      refuse(each.class, "provisioned_class_missing_from_config", "exists, but is not declared");
    }
  }
  if (details.length > 0) throw new Refusal(400, 100402, "Exports reconciliation failed", { meta: { details } });
  return { tag: context.tag, namespaces: classes };
}

/** What holds for every upload, with or without steps. */
export function checkClasses({ exported, bound, namespaces }) {
  for (const name of bound) {
    if (!namespaces.some((each) => each.class === name)) {
      throw new Refusal(
        400,
        10061,
        `Cannot create binding for class '${name}' because it is not currently configured to implement Durable Objects. Did you forget to apply a migration?`,
      );
    }
  }
  const gone = namespaces.find((each) => !exported.has(each.class));
  if (gone !== undefined) {
    throw new Refusal(
      400,
      10064,
      `New version of script does not export class '${gone.class}' which is depended on by existing Durable Objects. Use a delete-class migration.`,
    );
  }
}
