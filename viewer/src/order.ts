/** In which order a list showed logs, for the pages of logs that are opened from it. Pure. */

/** Under which name the tab keeps it: the names of logs, as JSON. */
export const ORDER = "livelog order";
/** Names that are kept on each side of where one was. */
export const AROUND = 1000;

/** What is in front of a log and behind it: names; null: nothing. */
export type Beside = readonly [string | null, string | null];

/** Of a kept order, what is beside this log; null: it is not in it. */
export function besideIn(kept: string | null, name: string): Beside | null {
  let names: unknown;
  try {
    names = JSON.parse(kept ?? "");
  } catch {
    return null;
  }
  if (!Array.isArray(names)) return null;
  const at = names.indexOf(name);
  const one = (place: number) => (typeof names[place] === "string" ? (names[place] as string) : null);
  return at < 0 ? null : [at > 0 ? one(at - 1) : null, one(at + 1)];
}

/** The address of another log's page, beside that of the log `name` at `pathname`; null: that is not its address. */
export function addressIn(pathname: string, name: string, other: string): string | null {
  const base = name === "" ? pathname : pathname.endsWith(`/${name}`) ? pathname.slice(0, -name.length - 1) : null;
  return base === null ? null : `${base.replace(/\/$/, "")}${other && `/${other}`}`;
}
