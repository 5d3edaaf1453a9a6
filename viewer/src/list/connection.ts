/** What is the case with the connection to the server, on the pages of many logs. */

import type { Icon } from "../icons.js";
import { isExpired } from "../state.js";
import type { Tone } from "./signs.js";
import type { Connection } from "./watch.js";

/** A sign for it, and words. */
export function stateOf(connection: Connection): { icon: Icon; text: string; tone: Tone } {
  switch (connection.kind) {
    case "opening": return { icon: "wait", text: "Opening", tone: "quiet" };
    case "live": return { icon: "live", text: "Live", tone: "good" };
    case "polled": return { icon: "live", text: "Updated every few seconds", tone: "good" };
    case "resting": return { icon: "paused", text: "Resting", tone: "quiet" };
    case "denied": return { icon: "lock", text: isExpired(connection.message) ? "Link expired" : "Token needed", tone: "warn" };
    case "refused": return { icon: "none", text: "Not here", tone: "bad" };
    case "reconnecting": {
      const seconds = Math.max(0, Math.ceil((connection.until - Date.now()) / 1000));
      return { icon: "again", text: seconds ? `Reconnecting in ${seconds} s` : "Reconnecting", tone: "warn" };
    }
  }
}
