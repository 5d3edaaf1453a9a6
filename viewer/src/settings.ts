/** What the user likes: kept by the browser, if it may. */

export interface Settings {
  wrap: boolean;
  time: keyof typeof TIMES;
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

/** What the column of times shows, in words, in the order in which a key goes through it. */
export const TIMES = { none: "off", clock: "clock", start: "since start", before: "since the line before" } as const;

const NAME = "livelog settings";

/** What the column of times shows next. */
export function nextTime({ time }: Settings): Settings["time"] {
  const all = Object.keys(TIMES) as Settings["time"][];
  return all[(all.indexOf(time) + 1) % all.length]!;
}

/** The theme behind this one. */
export const nextTheme = ({ theme }: Settings) => (({ auto: "light", light: "dark", dark: "auto" }) as const)[theme];

/** Put the theme into force. */
function show({ theme }: Settings): void {
  document.documentElement.dataset["theme"] = theme;
}

/** What was kept, or else what suits this window. Its theme is in force from now on. */
export function load(): Settings {
  const settings: Settings = { wrap: matchMedia("(max-width: 760px)").matches, time: "none", theme: "auto", raw: false, letters: true, levels: "error warning notice", aloud: false };
  try {
    Object.assign(settings, JSON.parse(localStorage.getItem(NAME) ?? "{}"));
    if (!(settings.time in TIMES)) settings.time = "clock"; // of an older page
  } catch {
    // nothing was kept, or it cannot be read
  }
  show(settings);
  return settings;
}

/** Change some of them, and keep them. */
export function change(settings: Settings, some: Partial<Settings>): void {
  Object.assign(settings, some);
  show(settings);
  try {
    localStorage.setItem(NAME, JSON.stringify(settings));
  } catch {
    // they last as long as the page
  }
}
