/** What keys do. Single letters can be switched off, for those whose software types them by voice. */

export type Action =
  | "down" | "up" | "pageDown" | "pageUp" | "top" | "end" | "follow" | "search" | "next" | "previous" | "leave" | "line"
  | "nextError" | "previousError" | "fold" | "foldAll" | "wrap" | "time" | "copy" | "help";

/** Keys as `KeyboardEvent.key` has them, what they do, and how to say it. */
export const KEYS: readonly (readonly [readonly string[], Action, string])[] = [
  [["ArrowDown", "j"], "down", "one line down"],
  [["ArrowUp", "k"], "up", "one line up"],
  [["PageDown", " "], "pageDown", "one page down"],
  [["PageUp"], "pageUp", "one page up"],
  [["Home", "g"], "top", "to the first line"],
  [["End", "G"], "end", "to the end, and follow it"],
  [["f"], "follow", "follow, or pause"],
  [["Ctrl+g"], "line", "go to a line"],
  [["/"], "search", "search"],
  [["n"], "next", "next hit"],
  [["N"], "previous", "hit before"],
  [["e"], "nextError", "next error"],
  [["E"], "previousError", "error before"],
  [["z"], "fold", "fold or unfold the group"],
  [["Z"], "foldAll", "fold or unfold all groups"],
  [["w"], "wrap", "wrap long lines, or not"],
  [["t"], "time", "times: none, local, UTC, ago"],
  [["y"], "copy", "copy a link to this place"],
  [["Escape"], "leave", "close what is open"],
  [["?"], "help", "this help"],
];

const ACTIONS = new Map(KEYS.flatMap(([keys, action]) => keys.map((key) => [key, action] as const)));

/** What a key does, if anything. `letters`: whether single letters do something. */
export function action(event: KeyboardEvent, letters: boolean): Action | null {
  if (event.altKey || event.metaKey || event.isComposing) return null;
  const key = event.ctrlKey ? `Ctrl+${event.key}` : event.key;
  if (key.length === 1 && key !== " " && !letters) return null;
  return ACTIONS.get(key) ?? null;
}

const NAMES: Record<string, string> = { ArrowDown: "↓", ArrowUp: "↑", PageDown: "PgDn", PageUp: "PgUp", " ": "Space", Escape: "Esc", "Ctrl+g": "Ctrl G" };

export function nameOf(key: string): string {
  return NAMES[key] ?? key;
}
