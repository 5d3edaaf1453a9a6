/** What every page needs, but not to show the log: loaded once the first lines are shown. */

export { Announcer } from "./announcer.js";
export { Groups } from "./groups.js";
export { Hints } from "./hints.js";
export { Marks } from "./marks.js";
export { Meanings } from "./meanings.js";
export { Problems } from "./problems.js";

import type { Page } from "./chrome.js";
import { keepPlace } from "./leaving.js";
import { printing } from "./printing.js";

/** What the page does besides, from now on. */
export function begin(page: Page): void {
  keepPlace(page.log, page.view);
  printing(page);
}
