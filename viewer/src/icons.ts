/** The icons of all pages; those that the first picture of a log does not need are in `moreicons`. */

import { html, type TemplateResult } from "lit-html";

/** The paths of icons, in a box of 24 by 24. */
export const ICONS = {
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M20 20l-4-4",
  wrap: "M4 6h16M4 12h13a3 3 0 0 1 0 6h-4m2-2-2 2 2 2M4 18h5",
  clock: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3 2",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  download: "M12 4v11m-5-4 5 5 5-5M5 20h14",
  help: "M9 9a3 3 0 1 1 4 3c-1 .5-1 1-1 2M12 17.5v.5M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18",
  down: "M12 5v14m-6-6 6 6 6-6",
  close: "M6 6l12 12M18 6 6 18",
  menu: "M4 7h16M4 12h16M4 17h16",
  live: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6M6 6a8.5 8.5 0 0 0 0 12M18 6a8.5 8.5 0 0 1 0 12",
  paused: "M9 5v14M15 5v14",
  wait: "M7 3h10M7 21h10M8 3c0 6 8 6 8 12v6M16 3c0 6-8 6-8 12v6",
  again: "M20 5v5h-5M20 10a8 8 0 1 0 0 5",
  cut: "M3 12h6M15 12h6M10 8l-1-4M14 20l1-4",
  done: "M5 13l4 4L19 7",
  bad: "M12 4 2.5 20h19zM12 10v4M12 17v.5",
  lock: "M6 11h12v9H6zM9 11V7a3 3 0 0 1 6 0v4",
  none: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M6 6l12 12",
} as const;

export type Icon = keyof typeof ICONS;

export function drawn(path: string): TemplateResult {
  return html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d=${path}></path></svg>`;
}

export function icon(name: Icon): TemplateResult {
  return drawn(ICONS[name]);
}
