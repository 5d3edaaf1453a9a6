/** What every page needs, but not to show a log: groups, and what screen readers hear. Loaded once the first lines are shown. */

export { Announcer } from "./announcer.js";
export { Groups } from "./groups.js";
