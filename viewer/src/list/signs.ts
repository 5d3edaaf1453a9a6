/** What a log's state looks like: a sign and words, never colour alone. */

import type { Icon } from "../icons.js";
import type { Log } from "./logs.js";

export const SIGNS: Record<Log["kind"], Icon> = { live: "live", interrupted: "cut", failed: "bad", aborted: "none", complete: "done" };

export type Tone = "good" | "warn" | "bad" | "quiet";

export const TONES: Record<Log["kind"], Tone> = { live: "good", interrupted: "warn", failed: "bad", aborted: "bad", complete: "quiet" };

/** What the buttons call each kind. */
export const WORDS: Record<Log["kind"], string> = { live: "Live", interrupted: "Interrupted", failed: "Failed", aborted: "Aborted", complete: "Ended" };

/** A log's state in words, such as `Failed, exit 2`. */
export function words({ kind, status }: Log): string {
  return status.exit_code === null || status.exit_code === undefined || kind === "aborted" ? WORDS[kind] : `${WORDS[kind]}, exit ${status.exit_code}`;
}
