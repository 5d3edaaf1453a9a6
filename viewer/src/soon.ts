/** What every page needs, but not to show the log: loaded once the first lines are shown. */

export { Announcer } from "./announcer.js";
export { Groups } from "./groups.js";
export { Hints } from "./hints.js";
export { keepPlace } from "./leaving.js";
export { Marks } from "./marks.js";
export { Meanings } from "./meanings.js";
export { Problems } from "./problems.js";
