/** Which logs are shown, and in which order: as it is typed, as the page's address has it. Pure. */

import { type Kind, KINDS, type Log } from "./logs.js";

export const SORTS = ["began", "state", "name", "took", "size", "readers"] as const;
export type Sort = (typeof SORTS)[number];

export interface Filter {
  /** Each word of it must be in the name, the title or a label, in upper or lower case. */
  readonly text: string;
  /** Logs of these kinds; none: of all. */
  readonly kinds: readonly Kind[];
  /** `key` or `key:value`: logs that have all of these labels. */
  readonly labels: readonly string[];
  readonly sort: Sort;
  /** Whether the order is the other way round than one would expect of `sort`. */
  readonly turned: boolean;
}

export const ALL: Filter = { text: "", kinds: [], labels: [], sort: "began", turned: false };

export function isFiltering(filter: Filter): boolean {
  return filter.text.trim() !== "" || filter.kinds.length > 0 || filter.labels.length > 0;
}

/** The filter in a query, such as `?q=linux&state=live&label=branch:main&sort=-size`. */
export function read(search: string): Filter {
  const asked = new URLSearchParams(search);
  const kinds = asked.getAll("state").flatMap((states) => states.split(","));
  const sort = asked.get("sort") ?? "";
  const turned = sort.startsWith("-");
  return {
    text: asked.get("q") ?? "",
    kinds: KINDS.filter((kind) => kinds.includes(kind)),
    labels: [...new Set(asked.getAll("label").filter(Boolean))],
    sort: SORTS.find((known) => known === sort.slice(turned ? 1 : 0)) ?? "began",
    turned,
  };
}

/** The query of a filter, with its question mark; empty if it is none. */
export function write({ text, kinds, labels, sort, turned }: Filter): string {
  const asked = new URLSearchParams();
  if (text.trim()) asked.set("q", text.trim());
  for (const kind of kinds) asked.append("state", kind);
  for (const label of labels) asked.append("label", label);
  if (turned || sort !== "began") asked.set("sort", (turned ? "-" : "") + sort);
  const query = asked.toString().replaceAll("%3A", ":");
  return query && `?${query}`;
}

export interface Chosen {
  /** The logs that are shown, in their order. */
  readonly logs: readonly Log[];
  /** How many there are of each kind, with the text and the labels of the filter. */
  readonly counts: Record<Kind, number>;
}

/** What a filter makes of logs, which are the newest first. `now`: milliseconds since the epoch. */
export function choose(all: readonly Log[], filter: Filter, now: number): Chosen {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  const counts: Record<Kind, number> = { live: 0, interrupted: 0, failed: 0, aborted: 0, complete: 0 };
  const logs: Log[] = [];
  for (const log of all) {
    if (!words.every((word) => log.text.includes(word))) continue;
    if (!filter.labels.every((label) => hasLabel(log, label))) continue;
    counts[log.kind]++;
    if (!filter.kinds.length || filter.kinds.includes(log.kind)) logs.push(log);
  }
  const by = ORDERS[filter.sort];
  if (by) logs.sort((one, other) => by(one, other, now)); // stable: of equal ones, the newest first
  if (filter.turned) logs.reverse();
  return { logs, counts };
}

const ORDERS: Record<Sort, ((one: Log, other: Log, now: number) => number) | null> = {
  began: null,
  state: (one, other) => KINDS.indexOf(one.kind) - KINDS.indexOf(other.kind),
  name: (one, other) => (one.status.name < other.status.name ? -1 : one.status.name > other.status.name ? 1 : 0),
  took: (one, other, now) => other.took(now) - one.took(now),
  size: (one, other) => other.status.size - one.status.size,
  readers: (one, other) => other.status.readers - one.status.readers,
};

function hasLabel(log: Log, label: string): boolean {
  return log.labels.includes(label) || (!label.includes(":") && label in log.status.labels);
}

/** All labels of some logs, and how many have each: the most frequent first, at most `most`. */
export function labelsOf(logs: readonly Log[], most: number): [string, number][] {
  const counts = new Map<string, number>();
  for (const log of logs) for (const label of log.labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].sort(([one, many], [other, more]) => more - many || (one < other ? -1 : 1)).slice(0, most);
}
