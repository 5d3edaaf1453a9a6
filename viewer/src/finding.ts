/** What is loaded when somebody searches. */

export { Finder } from "./finder.js";
export { searchBar } from "./searchbar.js";
