/** What keys are called on the page. */

const NAMES: Record<string, string> = {
  ArrowDown: "↓", ArrowUp: "↑", PageDown: "PgDn", PageUp: "PgUp", " ": "Space", Escape: "Esc", "Ctrl+Enter": "Ctrl Enter", "Ctrl+a": "Ctrl A", "Ctrl+g": "Ctrl G",
};

export function nameOf(key: string): string {
  return NAMES[key] ?? key;
}
