/** Levels as a pattern of a search: lines of a level or a graver one. Pure. */

const KEYS = "level|lvl|severity|log\\.level|loglevel|levelname|severity_?text|@l|levelno";

/** Names and numbers of levels, the gravest first, and the commands to CI services that are of them. */
const LEVELS: readonly (readonly [string, string, string])[] = [
  ["error", "e|err|error|f|fatal|c|crit|critical|d?panic|alert|emerg|emergency|severe|50|60", "error"],
  ["warning", "w|warn|warning|40", "warning"],
  ["info", "i|info|information|informational|notice|30", "notice"],
];

export const CHOICES: readonly string[] = LEVELS.map(([name]) => name);

/** A regular expression, as the server and browsers have it, that matches records of this level or a graver one, whatever their letters' case. */
export function levelPattern(level: string): string {
  const kept = LEVELS.slice(0, CHOICES.indexOf(level) + 1);
  const names = kept.map(([, one]) => one).join("|");
  const commands = kept.map(([, , one]) => one).join("|");
  return `"(?:${KEYS})"\\s*:\\s*"?(?:${names})"?\\s*[,}]|(?:^|\\s)(?:${KEYS})="?(?:${names})"?(?:\\s|$)|(?:^|\\s)(?:::(?:${commands})[ :]|##\\[(?:${commands})\\])`;
}
