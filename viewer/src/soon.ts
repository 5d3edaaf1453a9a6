/** What every page needs, but not to show the log: loaded once the first lines are shown. */

import { Announcer } from "./announcer.js";
import type { Page } from "./chrome.js";
import { Groups } from "./groups.js";
import { Hints } from "./hints.js";
import { keepPlace } from "./leaving.js";
import { Marks } from "./marks.js";
import { Meanings } from "./meanings.js";
import { printing } from "./printing.js";
import { Problems } from "./problems.js";

const NONE: readonly never[] = [];

export class Soon {
  readonly groups: Groups;
  readonly problems: Problems;
  readonly #announcer: Announcer;
  readonly #marks: Marks;
  readonly #hints: Hints;
  #panels: typeof import("./panel.js") | null = null;

  constructor(private readonly page: Page) {
    const { api, log, view, address, notices, settings, scripts } = page;
    const meanings = new Meanings(view, () => log.charset,
      (act) => void scripts.quietly<typeof import("./structure.js")>("structure", ({ Structure }) => act(new Structure())));
    this.#announcer = new Announcer(log, () => view.source, (runs, at) => meanings.text(runs, at));
    const groups = (this.groups = new Groups(api, log, view));
    const problems: Problems = (this.problems = new Problems(api, log, view, address, notices, settings, (change) => page.set(change),
      (act) => this.#panel(({ Panel }) => act(new Panel(problems))), page.redraw, (line) => groups.titleOf(line)));
    this.#marks = new Marks(log, view, problems.list);
    this.#hints = new Hints(page);
    keepPlace(log, view);
    printing(page);
  }

  /** The page is drawn. */
  show(): void {
    const { page } = this;
    this.#announcer.say(page.state.text, page.settings.aloud);
    this.#marks.show(page.isDark, page.finder?.search.hits ?? NONE, page.view.gaps?.all ?? NONE);
    this.problems.ask();
    this.#panels?.opened()?.show();
    this.#hints.look();
    this.groups.ask();
  }

  /** All lines got other numbers. */
  renumber(shift: number): void {
    this.#announcer.renumber(shift);
  }

  /** List the lines that are new since the last good log, or do not. */
  compare(): void {
    const { api, log, view, address, redraw } = this.page;
    this.#panel(({ compare }) => compare(api, log, view, address, (line) => this.groups.titleOf(line), redraw));
  }

  /** Close the list that is open. Returns whether there was one. */
  close(): boolean {
    const panel = this.#panels?.opened();
    panel?.close();
    return !!panel;
  }

  #panel(act: (script: typeof import("./panel.js")) => void): void {
    this.page.scripts.use<typeof import("./panel.js")>("panel", (script) => act((this.#panels = script)));
  }
}
