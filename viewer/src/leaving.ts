/**
 * The page is left: where the view was is kept in this tab, for when the page is loaded anew or come back to.
 *
 * Then the browser still has a state of the entry in the history. Of one that is opened by a link it has none.
 */

import type { Entry } from "./address.js";
import type { Log } from "./log.js";
import type { View } from "./view.js";

export function keepPlace(log: Log, view: View): void {
  const visited = () => history.replaceState(history.state ?? {}, "");
  visited();
  addEventListener("popstate", visited); // a new fragment makes a new entry
  addEventListener("pagehide", () => {
    if (!log.generation || !log.store.numbered) return;
    const { following, anchor: { line, offset }, geometry } = view;
    const known = view.source.get(line);
    // A gap that is marked above the line is not known at once when the page is there again.
    const gap = known && view.gaps?.above(known) ? geometry.row : 0;
    const entry: Entry = { anchor: { line, offset: Math.max(0, offset - gap) }, following };
    try {
      sessionStorage.setItem(log.generation, JSON.stringify(entry));
    } catch {
      // then the page opens as it does for the first time
    }
  });
}
