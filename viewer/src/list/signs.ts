/** What a log's state looks like: a sign and words, never colour alone. */

import type { Log } from "./logs.js";

/** The paths of signs, in a box of 24 by 24. */
export const SIGNS = {
  live: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6M6 6a8.5 8.5 0 0 0 0 12M18 6a8.5 8.5 0 0 1 0 12",
  interrupted: "M3 12h6M15 12h6M10 8l-1-4M14 20l1-4",
  complete: "M5 13l4 4L19 7",
  failed: "M12 4 2.5 20h19zM12 10v4M12 17v.5",
  aborted: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M6 6l12 12",
  again: "M20 5v5h-5M20 10a8 8 0 1 0 0 5",
  wait: "M7 3h10M7 21h10M8 3c0 6 8 6 8 12v6M16 3c0 6-8 6-8 12v6",
  paused: "M9 5v14M15 5v14",
  lock: "M6 11h12v9H6zM9 11V7a3 3 0 0 1 6 0v4",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  help: "M9 9a3 3 0 1 1 4 3c-1 .5-1 1-1 2M12 17.5v.5M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  close: "M6 6l12 12M18 6 6 18",
  up: "M12 19V5m-6 6 6-6 6 6",
} as const;

export type Sign = keyof typeof SIGNS;
export type Tone = "good" | "warn" | "bad" | "quiet";

export const TONES: Record<Log["kind"], Tone> = { live: "good", interrupted: "warn", failed: "bad", aborted: "bad", complete: "quiet" };

/** What the buttons call each kind. */
export const WORDS: Record<Log["kind"], string> = { live: "Live", interrupted: "Interrupted", failed: "Failed", aborted: "Aborted", complete: "Ended" };

/** A log's state in words, such as `Failed, exit 2`. */
export function words({ kind, status }: Log): string {
  return status.exit_code === null || status.exit_code === undefined || kind === "aborted" ? WORDS[kind] : `${WORDS[kind]}, exit ${status.exit_code}`;
}
