/** Going from one time without output to the next. */

import { reasonOf } from "./api.js";
import type { Page } from "./chrome.js";
import type { Gaps } from "./gaps.js";
import { duration } from "./rows.js";

/** The line that was gone to. */
let current = 0;

/** Go to the next gap that is marked, or the one before: to the line that came after it. */
export async function walk({ api, log, view, address, notices }: Page, gaps: Gaps, down: boolean): Promise<void> {
  const lines = view.coming;
  const last = lines.find((line) => line === current);
  const line = (down ? (last ? last + 1 : lines[0]) : (last ?? (lines.at(-1) ?? 0) + 1)) ?? 1;
  try {
    await gaps.ask();
    const from = await log.offsetOf(line);
    const all = gaps.map.all.filter(({ offset }) => offset < log.store.size); // behind the last line there is nothing to go to
    const gap = down ? all.find(({ offset }) => offset >= from) : all.findLast(({ offset }) => offset < from);
    const { first } = gap ? await api.lines({ at: String(gap.offset), count: "1" }) : { first: null };
    if (!gap || !first) return notices.tell(`No time without output ${down ? "below" : "above"}`);
    current = first;
    address.note({ from: first, to: first });
    view.toLine(first);
    notices.tell(`${duration(gap.seconds)} without output`);
  } catch (error) {
    notices.tell(reasonOf(error));
  }
}
