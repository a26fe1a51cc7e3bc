// What is chosen from the list; it lives in the address, so that it can be sent to a colleague.
import { myName } from "./api.js";

const LISTS = ["severity", "kind", "status"];

export function readFilter() {
  const query = new URLSearchParams(location.search);
  const filter = { q: query.get("q") ?? "", assignee: query.get("assignee") ?? "", sort: query.get("sort") ?? "newest" };
  for (const field of LISTS) filter[field] = new Set((query.get(field) ?? "").split(",").filter(Boolean));
  return filter;
}

export function asQuery(filter) {
  const query = new URLSearchParams();
  for (const field of LISTS) if (filter[field].size) query.set(field, [...filter[field]].join(","));
  if (filter.q) query.set("q", filter.q);
  if (filter.assignee) query.set("assignee", filter.assignee);
  if (filter.sort !== "newest") query.set("sort", filter.sort);
  return query.toString().replaceAll("%2C", ",");
}

export function writeFilter(filter) {
  const query = asQuery(filter);
  history.replaceState(history.state, "", query ? `/?${query}` : "/");
}

export const isAll = (filter) => !asQuery({ ...filter, sort: "newest" });

/** Whether a row that just came belongs to what is chosen: the server's rule, told again. */
export function matches(filter, row) {
  if (LISTS.some((field) => filter[field].size && !filter[field].has(row[field]))) return false;
  if (filter.assignee && row.assignee !== filter.assignee) return false;
  if (!filter.q) return true;
  const text = filter.q.toLowerCase().replace("...", "…");
  const seen = `${row.symbol} ${row.venue} ${row.app ?? ""} ${row.account ?? ""}`.toLowerCase();
  const [head, tail] = text.split("…");
  const key = row.key?.shown.toLowerCase() ?? "";
  const ends = text.includes("…") && key && key.startsWith(head) && key.endsWith(tail ?? "");
  return seen.includes(text) || ends;
}

export const mine = () => myName();
