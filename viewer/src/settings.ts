/** What the user likes: kept by the browser, if it may. */

export interface Settings {
  wrap: boolean;
  time: "none" | "clock" | "start" | "before";
  theme: "auto" | "light" | "dark";
  /** Whether all lines are shown as they are in the log, and not as what they mean. */
  raw: boolean;
  /** Whether single letters are keys. */
  letters: boolean;
  /** Levels of problems that are listed and walked through. */
  levels: string;
  /** Whether new lines are read to those who listen. */
  aloud: boolean;
}

const NAME = "livelog settings";

export function load(): Settings {
  const settings: Settings = { wrap: matchMedia("(max-width: 760px)").matches, time: "none", theme: "auto", raw: false, letters: true, levels: "error warning notice", aloud: false };
  try {
    Object.assign(settings, JSON.parse(localStorage.getItem(NAME) ?? "{}"));
    if (!/^(none|clock|start|before)$/.test(settings.time)) settings.time = "clock"; // of an older page
    return settings;
  } catch {
    return settings;
  }
}

export function save(settings: Settings): void {
  try {
    localStorage.setItem(NAME, JSON.stringify(settings));
  } catch {
    // they last as long as the page
  }
}
