/** What keys do. Single letters can be switched off, for those whose software types them by voice. */

export type Action =
  | "down" | "up" | "pageDown" | "pageUp" | "top" | "end" | "follow" | "search" | "only" | "next" | "previous" | "leave" | "line"
  | "nextProblem" | "previousProblem" | "problems" | "nextGap" | "previousGap" | "compare" | "fold" | "foldAll" | "wrap" | "raw" | "open" | "time" | "copy" | "help" | "logBefore" | "nextLog";

/** Keys as `KeyboardEvent.key` has them, and what they do; `help` says it in words. */
export const KEYS: readonly (readonly [readonly string[], Action])[] = [
  [["ArrowDown", "j"], "down"],
  [["ArrowUp", "k"], "up"],
  [["PageDown", " "], "pageDown"],
  [["PageUp"], "pageUp"],
  [["Home", "g"], "top"],
  [["End", "G"], "end"],
  [["f"], "follow"],
  [["Ctrl+g"], "line"],
  [["/"], "search"],
  [["&"], "only"],
  [["n"], "next"],
  [["N"], "previous"],
  [["e"], "nextProblem"],
  [["E"], "previousProblem"],
  [["p"], "problems"],
  [[">"], "nextGap"],
  [["<"], "previousGap"],
  [["d"], "compare"],
  [["z"], "fold"],
  [["Z"], "foldAll"],
  [["w"], "wrap"],
  [["r"], "raw"],
  [["o"], "open"],
  [["t"], "time"],
  [["y"], "copy"],
  [["["], "logBefore"],
  [["]"], "nextLog"],
  [["Escape"], "leave"],
  [["?"], "help"],
];

const ACTIONS = new Map(KEYS.flatMap(([keys, action]) => keys.map((key) => [key, action] as const)));

/** What a key does, if anything. `letters`: whether single letters do something. */
export function action(event: KeyboardEvent, letters: boolean): Action | null {
  if (event.altKey || event.metaKey || event.isComposing) return null;
  const key = event.ctrlKey ? `Ctrl+${event.key}` : event.key;
  if (key.length === 1 && key !== " " && !letters) return null;
  return ACTIONS.get(key) ?? null;
}
