/** The panel that lists problems. The list of new lines is in the same script. */

import { html, type TemplateResult } from "lit-html";
import type { Problem } from "./api.js";
import { levelButtons, sign, TONES } from "./levelbuttons.js";
import { ListPanel } from "./listpanel.js";
import { LEVELS, placeOf } from "./problemlist.js";
import type { Listing, Problems } from "./problems.js";
import { count } from "./state.js";
export { opened } from "./listpanel.js";
export { compare } from "./newlines.js";

export class Panel extends ListPanel<Problem> implements Listing {
  constructor(private readonly problems: Problems) {
    super("Problems", problems.view, problems.redraw);
  }

  get entries(): readonly Problem[] {
    return this.problems.list.of(this.problems.levels);
  }

  /** How many there are of the levels that are listed. */
  get #kept(): number {
    const { list, levels } = this.problems;
    return LEVELS.reduce((sum, level) => sum + (levels.includes(level) ? list.counts[level] : 0), 0);
  }

  bar(): TemplateResult {
    const { problems } = this;
    const { list, levels, progress } = problems;
    const shown = this.entries.length;
    const note = progress < 1 && problems.view.geometry.last > 0 ? `${Math.floor(progress * 100)} % of the log looked through` : this.#kept > shown ? `the first ${count(shown)} of ${count(this.#kept)}` : "";
    const buttons = levelButtons(list.counts, levels, (level) => {
      problems.toggle(level);
      this.show();
    });
    return html`${buttons}
      <span class="note">${note}</span>`;
  }

  empty(): string {
    return this.#kept ? "Switch a level on to see its problems." : this.problems.progress < 1 ? "None so far." : "None.";
  }

  cells(problem: Problem): TemplateResult {
    const { line, level, message } = problem;
    return html`<span class=${TONES[level]} title=${level}>${sign(level)}</span><span class="number"
      ><span class="for-ears">${level}, line </span>${count(line)}</span><span class="message">${message}</span><span class="where">${[this.problems.groupOf(line), placeOf(problem)].filter(Boolean).join(" · ")}</span>`;
  }

  visit(problem: Problem): void {
    this.problems.go(problem);
  }

  override reveal(): void {
    this.chosen = this.problems.current ?? this.chosen;
    super.reveal();
  }
}
