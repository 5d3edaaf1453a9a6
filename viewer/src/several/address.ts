/** The address of a page of several logs: `?logs=a,b,c&as=merged` behind that of a list. Names have no comma. `#2:L120-L140` are lines of the second log. Pure. */

import * as fragment from "../fragment.js";

/** How several logs are shown. */
export type Form = "side" | "merged";

/** Logs that are shown at once, at most: side by side, and merged. */
export const MOST: Record<Form, number> = { side: 3, merged: 20 };

export interface Asked {
  readonly names: readonly string[];
  readonly form: Form;
}

/** What an address asks for: each log once. More than there is room for side by side are merged. */
export function read(search: string): Asked {
  const asked = new URLSearchParams(search);
  const names = [...new Set((asked.get("logs") ?? "").split(",").map((name) => name.replace(/^\/+|\/+$/g, "")))].slice(0, MOST.merged);
  const form = asked.get("as") === "merged" || names.length > MOST.side ? "merged" : "side";
  return { names, form };
}

/** The query of an address; commas and slashes are as they are. */
export function write({ names, form }: Asked): string {
  return `?logs=${names.map(encodeURIComponent).join(",").replaceAll("%2F", "/")}&as=${form}`;
}

/** The folder in which all of them are, with its slash; empty: there is none. */
export function folderOf(names: readonly string[]): string {
  const [first = "", ...others] = names;
  let folder = first.slice(0, first.lastIndexOf("/") + 1);
  while (folder && !others.every((name) => name.startsWith(folder))) folder = folder.slice(0, folder.lastIndexOf("/", folder.length - 2) + 1);
  return folder;
}

/** Lines of one of the logs, by its place in the address, from 0. */
export interface Lines extends fragment.Lines {
  readonly log: number;
}

/** The lines that a fragment names, of so many logs. */
export function readLines(hash: string, logs: number): Lines | null {
  const found = /^#(\d{1,2}):(.*)$/.exec(hash);
  const log = Number(found?.[1]) - 1;
  const { lines } = fragment.read(found?.[2] ?? "");
  return lines && log >= 0 && log < logs ? { log, ...lines } : null;
}

/** The fragment of these lines; "" for none. */
export function writeLines(lines: Lines | null): string {
  return lines && fragment.write(lines).replace("#", `#${lines.log + 1}:`) || "";
}
