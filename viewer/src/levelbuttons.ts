/** Levels of problems: their signs, how many there are, and buttons that switch them on and off. */

import { html, type TemplateResult } from "lit-html";
import type { Level } from "./api.js";
import { drawn, ICONS } from "./icons.js";
import { ERROR, NOTICE } from "./moreicons.js";
import { inWords, LEVELS } from "./problemlist.js";
import { count } from "./state.js";

type Counts = Readonly<Record<Level, number>>;

const NONE: Counts = { error: 0, warning: 0, notice: 0 };
const SIGNS: Record<Level, string> = { error: ERROR, warning: ICONS.bad, notice: NOTICE };
export const TONES: Record<Level, string> = { error: "bad", warning: "warn", notice: "quiet" };

export function sign(level: Level): TemplateResult {
  return drawn(SIGNS[level]);
}

/** How many there are of each level. */
export function counted(counts: Counts): TemplateResult[] {
  return LEVELS.filter((level) => counts[level]).map((level) => html`<span class=${TONES[level]}>${sign(level)}${count(counts[level])}<span class="for-ears"> ${level}${counts[level] === 1 ? "" : "s"}</span></span>`);
}

/** `toggle`: have a level listed, or not. */
export function levelButtons(counts: Counts, levels: readonly string[], toggle: (level: Level) => void): TemplateResult[] {
  return LEVELS.map((level) => html`<button class=${TONES[level]} aria-label=${inWords({ ...NONE, [level]: counts[level] }) || `0 ${level}s`} aria-pressed=${levels.includes(level)} @click=${() => toggle(level)}
    >${sign(level)}${count(counts[level])}<span class="word"> ${level}${counts[level] === 1 ? "" : "s"}</span></button>`);
}
