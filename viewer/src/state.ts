/** What is the case with a log, in words, with a sign: never by colour alone. Pure. */

import type { Icon } from "./icons.js";
import type { Log } from "./log.js";

export interface State {
  readonly icon: Icon;
  readonly text: string;
  readonly tone: "good" | "warn" | "bad" | "quiet";
}

/** `following`: whether the view is at the log's end; `fresh`: lines that have come since it left it. */
export function stateOf({ connection, status }: Log, following: boolean, fresh: number): State {
  switch (connection.kind) {
    case "opening": return { icon: "wait", text: "Opening", tone: "quiet" };
    case "waiting": return { icon: "wait", text: "Waiting for the log", tone: "quiet" };
    case "denied": return { icon: "lock", text: isExpired(connection.message) ? "Link expired" : "Token needed", tone: "warn" };
    case "refused": return { icon: "none", text: "Not here", tone: "bad" };
    case "gone": return { icon: "none", text: "Removed", tone: "bad" };
    case "replaced": return { icon: "again", text: "Replaced", tone: "warn" };
    case "reconnecting": {
      const seconds = Math.max(0, Math.ceil((connection.until - Date.now()) / 1000));
      return { icon: "again", text: seconds ? `Reconnecting in ${seconds} s` : "Reconnecting", tone: "warn" };
    }
    default:
  }
  const code = status?.exit_code ?? null;
  if (status?.state === "aborted") return { icon: "cut", text: `Aborted at byte ${count(status.size)}`, tone: "bad" };
  if (status?.state === "complete" && code) return { icon: "bad", text: `Ended, exit ${code}`, tone: "bad" };
  if (status?.state === "complete") return { icon: "done", text: code === 0 ? "Ended, exit 0" : "Ended", tone: "good" };
  if (connection.kind === "resting") return { icon: "paused", text: "Resting", tone: "quiet" };
  if (status?.state === "interrupted") return { icon: "cut", text: "Writer disconnected", tone: "warn" };
  if (!following) return { icon: "paused", text: fresh ? `Paused, ${count(fresh)} new` : "Paused", tone: "quiet" };
  return { icon: "live", text: "Live", tone: "good" };
}

/** Whether a refusal says that the token was good until a time that has come. */
export function isExpired(refusal: string): boolean {
  return /\bexpired\b/.test(refusal);
}

/** `1234` as `1,234`. */
export function count(number: number): string {
  return number.toLocaleString("en");
}
