/** What keys do on a page of several logs: as on a log's own page. Single letters can be switched off. */

export type Action = "down" | "up" | "pageDown" | "pageUp" | "top" | "end" | "follow" | "wrap" | "time" | "together" | "line" | "nextProblem" | "previousProblem" | "problems" | "copy" | "search" | "next" | "previous" | "leave" | "help";

/** Keys as `KeyboardEvent.key` has them, what they do, and how to say it. */
export const KEYS: readonly (readonly [readonly string[], Action, string])[] = [
  [["ArrowDown", "j"], "down", "one line down"],
  [["ArrowUp", "k"], "up", "one line up"],
  [["PageDown", " "], "pageDown", "one page down"],
  [["PageUp"], "pageUp", "one page up"],
  [["Home", "g"], "top", "to the first line"],
  [["End", "G"], "end", "to the end, and follow it"],
  [["f"], "follow", "follow, or pause"],
  [["e"], "nextProblem", "next problem"],
  [["E"], "previousProblem", "problem before"],
  [["p"], "problems", "list the problems, or do not"],
  [["Ctrl+g"], "line", "go to a line"],
  [["w"], "wrap", "wrap long lines, or not"],
  [["t"], "time", "times: off, clock, since start, since the line before"],
  [["/"], "search", "search in all logs"],
  [["n"], "next", "next match"],
  [["N"], "previous", "match before"],
  [["y"], "copy", "copy a link to this place"],
  [["s"], "together", "scroll logs side by side together, by time, or each by itself"],
  [["Escape"], "leave", "close what is open; unmark lines"],
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
