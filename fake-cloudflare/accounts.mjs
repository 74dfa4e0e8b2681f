// Accounts, who a token belongs to, permission groups and minted tokens.
import { randomBytes } from "node:crypto";
import { hexId, Page, pageOf, Refusal } from "./http.mjs";

/** Permission groups by the API's (old) names; ids as public configurations have them. */
export const GROUPS = {
  "Workers Scripts Write": "e086da7e2179491d91ee5f35b3ca210a",
  "Workers Scripts Read": "1a71c399035b4950a1bd1466bbe4f420",
  "Workers Tail Read": "05880cd1bdc24d8bae0be2136972816b",
  "Workers KV Storage Write": "f7f0eda5697f475c90846e879bab8666",
  "Workers R2 Storage Write": "bf7481a1826f439697cb59a20b22293e",
  "Workers R2 Storage Bucket Item Write": "2efd5506f9c8494dacb1fa10a3e7d5b6",
  "Workers R2 Storage Read": "b4992e1108244f5d8bfbd5744320c2e1",
  "Workers R2 Data Catalog Write": "d229766a2f7f4d299f20eaa8c9b1fde9",
  "Workers R2 Data Catalog Read": "45db74139a62490b9b60eb7c4f34994b",
  "Workers R2 SQL Read": "f45430d92e2b4a6cb9f94f2594c141b8",
  "Pipelines Write": "e34111af393449539859485aa5ddd5bd",
  "Account API Tokens Write": "5bc3f8b21c554832afc660159ab75fa4",
  "Account Analytics Read": "b89a480218d04ceb98b4fe57ca29dc1f",
  "Account Settings Read": "c1fde68c7bcc44588cbb6ddbc16d6480",
  "Workers Routes Write": "28f4b596e7d643029c524985477ae49a",
  "Billing Read": "7cf72faf220841aabcfdfab81c43c4f6",
  "Zone Read": "c8fed203ed3043cba015a93ad1616f1f",
  "DNS Write": "4755a26eedb94da69e1066d98aa820be",
};

/** A token with these groups; undefined gives all. Its value is returned once, here. */
export function addToken(state, { groups = Object.keys(GROUPS), name = "a token" } = {}) {
  const token = {
    id: hexId(),
    name,
    // As every sixty-fourth of Cloudflare's begins: given as an argument of its own it would be taken for an option.
    value: `-${randomBytes(30).toString("base64url").slice(1)}`,
    groups: [...groups],
    status: "active",
    issued_on: new Date().toISOString(),
  };
  state.tokens.push(token);
  return token;
}

const shown = ({ id, name, status, issued_on, groups }) => ({
  id,
  name,
  status,
  issued_on,
  policies: [{ effect: "allow", permission_groups: groups.map((group) => ({ id: GROUPS[group], name: group })) }],
});

function groupNames(policies) {
  const byId = Object.fromEntries(Object.entries(GROUPS).map(([name, id]) => [id, name]));
  const ids = (policies ?? []).flatMap((policy) => policy.permission_groups ?? []).map((group) => group.id);
  if (ids.length === 0) throw new Refusal(400, 1001, "A token needs at least one policy");
  const unknown = ids.find((id) => byId[id] === undefined);
  if (unknown !== undefined) throw new Refusal(400, 1001, `Permission group ${unknown} does not exist`);
  return ids.map((id) => byId[id]);
}

export function accountRoutes({ state }) {
  const A = `/accounts/${state.account.id}`;
  const active = ({ token }) => ({ id: token.id, status: token.status });
  const find = (id) => {
    const token = state.tokens.find((each) => each.id === id);
    if (token === undefined) throw new Refusal(404, 1003, "Token not found");
    return token;
  };
  const groups = ({ query }) => {
    const name = query.get("name");
    const all = Object.entries(GROUPS).map(([label, id]) => ({ id, name: label, scopes: ["com.cloudflare.api.account"] }));
    return new Page(name === null ? all : all.filter((group) => group.name === name), { page: 1, count: all.length });
  };
  return [
    ["GET", "/user/tokens/verify", [], active],
    ["GET", `${A}/tokens/verify`, [], active],
    ["GET", "/user", [], () => ({ id: hexId(), email: "operator@example.com" })],
    [
      "GET",
      "/accounts",
      [],
      ({ query }) => pageOf([{ id: state.account.id, name: state.account.name, type: "standard", settings: {} }], query),
    ],
    [
      "GET",
      "/memberships",
      [],
      ({ query }) => pageOf([{ id: hexId(), status: "accepted", account: state.account, roles: ["Super Administrator"] }], query),
    ],
    ["GET", `${A}/subscriptions`, ["Billing Read"], () => [{ rate_plan: { id: state.account.paid ? "workers_paid" : "workers_free" } }]],
    ["GET", "/user/tokens/permission_groups", [], groups],
    ["GET", `${A}/tokens/permission_groups`, ["Account API Tokens Write"], groups],
    ["GET", `${A}/tokens`, ["Account API Tokens Write"], ({ query }) => pageOf(state.tokens.map(shown), query)],
    ["GET", `${A}/tokens/{id}`, ["Account API Tokens Write"], ({ params }) => shown(find(params.id))],
    [
      "POST",
      `${A}/tokens`,
      ["Account API Tokens Write"],
      ({ json }) => {
        const token = addToken(state, { name: json.name, groups: groupNames(json.policies) });
        return { ...shown(token), value: token.value };
      },
    ],
    [
      "DELETE",
      `${A}/tokens/{id}`,
      ["Account API Tokens Write"],
      ({ params }) => {
        state.tokens.splice(state.tokens.indexOf(find(params.id)), 1);
        return { id: params.id };
      },
    ],
  ];
}
