/** Levels as a pattern of a search: lines of a level or a graver one. Pure. */

import { LEVEL, NAMES } from "./structured.js";

/** The levels, the gravest first; of each those of records, and that of the commands to CI services. */
const LEVELS: Readonly<Record<string, { readonly of: readonly string[]; readonly command: string }>> = {
  error: { of: ["error"], command: "error" },
  warning: { of: ["warning"], command: "warning" },
  info: { of: ["info", "notice"], command: "notice" },
};

const KEYS = LEVEL.map((key) => key.replaceAll(".", "\\.")).join("|");

export const CHOICES: readonly string[] = Object.keys(LEVELS);

/** A regular expression, as the server and browsers have it, that matches records of this level or a graver one, whatever their letters' case. */
export function levelPattern(level: string): string {
  const kept = CHOICES.slice(0, CHOICES.indexOf(level) + 1).map((one) => LEVELS[one]!);
  const names = kept.flatMap(({ of }) => of).flatMap((one) => NAMES[one]!).join("|");
  const commands = kept.map(({ command }) => command).join("|");
  return `"(?:${KEYS})"\\s*:\\s*"?(?:${names})"?\\s*[,}]|(?:^|\\s)(?:${KEYS})="?(?:${names})"?(?:\\s|$)|(?:^|\\s)(?:::(?:${commands})[ :]|##\\[(?:${commands})\\])`;
}
