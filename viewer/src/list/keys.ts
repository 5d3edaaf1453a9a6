/** What keys do in the list. Single letters can be switched off, as on a log's page. */

export type Action =
  | "down" | "up" | "pageDown" | "pageUp" | "top" | "end" | "open" | "openTab" | "select" | "selectAll" | "filter" | "copy" | "leave" | "help";

/** Keys as `KeyboardEvent.key` has them, what they do, and how to say it. */
export const KEYS: readonly (readonly [readonly string[], Action, string])[] = [
  [["ArrowDown", "j"], "down", "one log down"],
  [["ArrowUp", "k"], "up", "one log up"],
  [["PageDown"], "pageDown", "one page down"],
  [["PageUp"], "pageUp", "one page up"],
  [["Home", "g"], "top", "to the first log"],
  [["End", "G"], "end", "to the last log"],
  [["Enter"], "open", "open the log"],
  [["o", "Ctrl+Enter"], "openTab", "open in tabs: the selected logs, or this one"],
  [[" ", "x"], "select", "select the log, or not"],
  [["Ctrl+a"], "selectAll", "select all that are shown"],
  [["/"], "filter", "filter"],
  [["y"], "copy", "copy links: of the selected logs, or this one"],
  [["Escape"], "leave", "select none; then show all"],
  [["?"], "help", "this help"],
];

const ACTIONS = new Map(KEYS.flatMap(([keys, action]) => keys.map((key) => [key, action] as const)));

/** What a key does, if anything. `letters`: whether single letters do something. */
export function action(event: KeyboardEvent, letters: boolean): Action | null {
  if (event.altKey || event.isComposing) return null;
  const key = event.ctrlKey || event.metaKey ? `Ctrl+${event.key}` : event.key;
  if (key.length === 1 && key !== " " && !letters) return null;
  return ACTIONS.get(key) ?? null;
}
