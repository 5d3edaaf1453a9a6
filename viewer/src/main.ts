/** The page: its parts, put together; when it is drawn; what keys and clicks do. */

import { nothing, render, type TemplateResult } from "lit-html";
import { Address } from "./address.js";
import type { Announcer } from "./announcer.js";
import { Api, reasonOf } from "./api.js";
import { listOf } from "./back.js";
import { Bar } from "./bar.js";
import * as chrome from "./chrome.js";
import type { Copying } from "./copying.js";
import { element } from "./dom.js";
import type { Finder } from "./finder.js";
import type { Gaps } from "./gaps.js";
import type { Groups } from "./groups.js";
import type { Hints } from "./hints.js";
import { type Action, action } from "./keys.js";
import type { Jump } from "./jump.js";
import { Log } from "./log.js";
import type { Marks } from "./marks.js";
import { Notices } from "./notices.js";
import { Scripts } from "./scripts.js";
import type { Problems } from "./problems.js";
import { change, load, nextTheme, type Settings } from "./settings.js";
import { seen } from "./sgr.js";
import { type State, stateOf } from "./state.js";
import type { Timing } from "./timing.js";
import { View } from "./view.js";

/** Milliseconds after which a log may have gaps that are marked. */
const OLD = 5000;
const NONE: readonly never[] = [];

class App implements chrome.Page {
  #frame = 0;
  readonly settings: Settings = load();
  readonly #redraw = () => this.#schedule();
  readonly api = new Api(location.pathname, location.search);
  readonly notices = new Notices(this.#redraw);
  readonly log: Log = new Log(this.api, this.#redraw, (shift) => {
    this.view.renumber(shift);
    this.#announcer?.renumber(shift);
  });
  readonly #options = { wrap: this.settings.wrap, dark: false, showTime: false, time: (line: number) => this.#timing?.of(line, this.settings.time) ?? { text: "", title: "" } };
  readonly view: View = new View(element("surface"), this.log, this.#options, this.#redraw);
  readonly address = new Address(this.api, this.log, this.view, this.notices, this.#redraw);
  jump: Jump | null = null;
  #copying: Copying | null = null;
  #timing: Timing | null = null;
  #gaps: Gaps | null = null;
  #announcer: Announcer | null = null;
  #groups: Groups | null = null;
  #problems: Problems | null = null;
  #panels: typeof import("./panel.js") | null = null;
  #marks: Marks | null = null;
  #hints: Hints | null = null;
  #cards: typeof import("./cards.js") | null = null;
  finder: Finder | null = null;
  tried = false;
  readonly #scripts = new Scripts(this.api, this.notices, this.#redraw, (event) => this.#key(event));
  #help: typeof import("./help.js") | null = null;

  readonly #bar = new Bar(this.log, this.view);
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  readonly #templates = new Map<string, () => unknown>([
    ["head", () => chrome.head(this)],
    ["foot", () => chrome.foot(this)],
    ["search", () => this.#searchBar?.(this.finder!) ?? nothing],
    ["float", () => chrome.float(this)],
    ["card", () => this.#cards?.card(this) ?? nothing],
    ["help", () => this.#help?.help(this) ?? nothing],
    ["line", () => this.#help?.goTo(this) ?? nothing],
  ]);
  /** The search that the address names, until there is something to search. */
  #query = this.address.query;

  constructor() {
    this.view.decorate = (rows) => this.finder?.highlight(rows);
    this.#apply();
    this.#listen();
    element("surface").focus({ preventScroll: true });
    void this.log.run();
    if (this.#query) this.#find((finder) => finder.open(false, this.#query?.text));
  }

  // What is shown

  get state(): State {
    return stateOf(this.log, this.view.following, this.fresh);
  }

  get name(): string {
    return this.log.status?.name ?? "";
  }

  get title(): string {
    return this.log.status?.title || this.name || "Log";
  }

  get fileName(): string {
    return `${this.name.replaceAll("/", "-") || "log"}${this.finder?.only ? "-filtered" : ""}.log`;
  }

  get list(): string | null {
    return this.log.status && listOf(location.pathname, this.name, this.api.token);
  }

  raw(query: Record<string, string> = {}): string {
    return this.api.raw(this.name, query);
  }

  get download(): string {
    return this.finder?.only ? this.api.raw(this.name, this.finder.only, "search") : this.raw(this.log.ended ? {} : { follow: "0" });
  }

  problemCounts(): unknown {
    return this.#problems?.summary() ?? nothing;
  }

  get fresh(): number {
    return this.view.following || this.log.ended ? 0 : this.view.source.between(this.view.seen, this.view.source.last);
  }

  #schedule(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#show();
    });
  }

  #render(id: string): void {
    render(this.#templates.get(id)!() as TemplateResult, element(id));
  }

  #show(): void {
    this.address.arrive();
    this.view.render();
    for (const id of this.#templates.keys()) {
      const place = element(id);
      if (place instanceof HTMLDialogElement ? place.open : !place.hidden) this.#render(id);
    }
    this.#bar.show();
    const title = `${this.state.text} – ${this.title}`;
    if (document.title !== title) document.title = title;
    this.#announcer?.say(this.state.text, this.settings.aloud);
    this.#marks?.show(this.#options.dark, this.finder?.search.hits ?? [], this.#gaps?.map.all ?? NONE);
    this.#problems?.ask();
    this.#panels?.opened()?.show();
    this.#hints?.look();
    if (this.#groups) this.#groups.ask();
    else if (this.log.connection.kind !== "opening") void this.#scripts.quietly<typeof import("./soon.js")>("soon", (script) => this.#soon(script));
    if (this.#gaps) this.#gaps.ask();
    else if (this.log.began !== undefined && this.log.now - this.log.began >= OLD) void this.#scripts.quietly<typeof import("./timing.js")>("timing", (script) => this.#time(script));
    if (this.#options.showTime) this.#timing?.need(this.view.lines);
    if (this.log.store.size > 0 && this.#query && this.finder) {
      this.finder.find(this.#query, this.address.again || !this.view.following);
      this.#query = null;
    }
    this.finder?.look();
    if (seen.rows && !this.view.terminal) void this.#scripts.quietly<typeof import("./terminal.js")>("terminal", ({ Terminal }) => (this.view.terminal ??= new Terminal(this.view, this.log, this.#redraw)));
    // What is selected may be copied at once.
    if (this.view.selection && !this.#copying) void this.#scripts.quietly<typeof import("./copying.js")>("copying", (script) => this.#copier(script));
    if (!this.#cards && chrome.hasCard(this.log)) void this.#scripts.quietly<typeof import("./cards.js")>("cards", (script) => (this.#cards = script));
  }

  // What the user does

  act(what: Action): void {
    this.#acts[what]();
  }

  readonly #acts: Record<Action, () => unknown> = {
    down: () => this.view.step(1),
    up: () => this.view.step(-1),
    pageDown: () => this.view.step(this.view.page),
    pageUp: () => this.view.step(-this.view.page),
    top: () => this.view.toRatio(0),
    end: () => {
      this.jump?.stay();
      this.view.follow();
    },
    follow: () => (this.view.following ? this.view.pause() : this.view.follow()),
    search: () => this.#find((finder) => finder.open(true)),
    only: () => this.#find((finder) => finder.toggleOnly()),
    next: () => this.#find((finder) => finder.hop(true)),
    previous: () => this.#find((finder) => finder.hop(false)),
    nextProblem: () => this.#problem((problems) => problems.walk(true)),
    previousProblem: () => this.#problem((problems) => problems.walk(false)),
    problems: () => this.#problem((problems) => problems.togglePanel()),
    compare: () => this.#group((groups) => this.#panel(({ compare }) => compare(this.api, this.log, this.view, this.address, (line) => groups.titleOf(line), this.#redraw))),
    line: () => this.#openDialog("line"),
    fold: () => this.#group((groups) => groups.toggleAround(this.#middle)),
    foldAll: () => this.#group((groups) => groups.toggleAll()),
    raw: () => {
      this.set({ raw: !this.settings.raw });
      this.notices.tell(this.settings.raw ? "Lines are shown as they are in the log" : "Lines are shown as what they mean");
    },
    open: () => this.view.meanings?.toggle(this.view.source.get(this.#middle)),
    wrap: () => this.set({ wrap: !this.settings.wrap }),
    time: () => {
      const times = ["none", "clock", "start", "before"] as const;
      this.set({ time: times[(times.indexOf(this.settings.time) + 1) % 4]! });
    },
    copy: () => {
      const link = this.address.link(this.#middle);
      this.copy((copying) => copying.link(link));
    },
    help: () => this.#openDialog("help"),
    logBefore: () => this.#beside(false),
    nextLog: () => this.#beside(true),
    leave: () => {
      if (this.jump?.back()) return;
      if (this.finder?.isOpen) this.finder.close(true);
      else if (this.#panels?.opened()) this.#panels.opened()!.close();
      else if (this.view.selection) this.view.deselect();
      else this.address.mark(null);
    },
  };

  #searchBar: typeof import("./searchbar.js").searchBar | null = null;

  #time({ Timing, Gaps }: typeof import("./timing.js")): void {
    this.#timing ??= new Timing(this.api, this.log, () => this.view.source, this.#redraw);
    this.#gaps ??= new Gaps(this.api, this.log, (make) => this.view.change(make));
    this.view.gaps = this.#gaps.map;
    this.#redraw();
  }

  #soon({ Announcer, begin, Groups, Hints, Marks, Meanings, Problems }: typeof import("./soon.js")): void {
    if (this.#groups) return;
    const meanings = new Meanings(this.view, () => this.log.charset,
      (act) => void this.#scripts.quietly<typeof import("./structure.js")>("structure", ({ Structure }) => act(new Structure())));
    this.#announcer = new Announcer(this.log, () => this.view.source, (runs, at) => meanings.text(runs, at));
    const groups = (this.#groups = new Groups(this.api, this.log, this.view));
    const problems: Problems = new Problems(this.api, this.log, this.view, this.address, this.notices, this.settings, (change) => this.set(change),
      (act) => this.#panel(({ Panel }) => act(new Panel(problems))), this.#redraw, (line) => groups.titleOf(line));
    this.#problems = problems;
    this.#marks = new Marks(this.log, this.view, problems.list);
    this.#hints = new Hints(this);
    begin(this);
  }

  #later(act: () => void): void {
    if (this.#groups) act();
    else this.#scripts.use<typeof import("./soon.js")>("soon", (script) => (this.#soon(script), act()));
  }

  #group(act: (groups: Groups) => void): void {
    this.#later(() => act(this.#groups!));
  }

  #problem(act: (problems: Problems) => void): void {
    this.#later(() => act(this.#problems!));
  }

  #panel(act: (script: typeof import("./panel.js")) => void): void {
    this.#scripts.use<typeof import("./panel.js")>("panel", (script) => act((this.#panels = script)));
  }

  #find(act: (finder: Finder) => void): void {
    if (this.finder) return act(this.finder);
    this.#scripts.use<typeof import("./finding.js")>("finding", ({ Finder, searchBar }) => {
      this.#searchBar = searchBar;
      this.finder ??= new Finder(this.api, this.log, this.view, this.address, () => {
        this.#render("search");
        this.#redraw();
      }, (text) => this.notices.tell(text), () => this.act("leave"), this.#redraw);
      act(this.finder);
      this.#redraw();
    });
  }

  copy(act: (copying: Copying) => unknown): void {
    if (this.#copying) act(this.#copying);
    else this.#scripts.use<typeof import("./copying.js")>("copying", (script) => act(this.#copier(script)));
  }

  #copier({ Copying }: typeof import("./copying.js")): Copying {
    return (this.#copying ??= new Copying(this.log, this.view, this.notices, () => this.fileName, () => this.download));
  }

  /** The browser copies: the log's text, if some of it is selected. */
  #copied(event: ClipboardEvent): void {
    if (!this.view.selection || (event.target as Element | null)?.closest?.("input, dialog")) return;
    event.preventDefault();
    const now = this.#copying && event;
    this.copy((copying) => copying.selected(now));
  }

  #beside(behind: boolean): void {
    this.#scripts.use<typeof import("./help.js")>("help", ({ go }) => go(this, behind));
  }

  #openDialog(id: "help" | "line"): void {
    if (this.#help) return this.#showDialog(id);
    this.#scripts.use<typeof import("./help.js")>("help", (help) => {
      this.#help = help;
      this.#showDialog(id);
    });
  }

  #showDialog(id: "help" | "line"): void {
    for (const other of document.querySelectorAll("dialog")) other.close();
    this.#render(id);
    (element(id) as HTMLDialogElement).showModal();
  }

  /** The line that is looked at: the marked one if it is visible, or the first one. */
  get #middle(): number {
    const lines = this.view.lines;
    const marked = this.finder?.search.current ?? this.view.marked?.from;
    return marked !== undefined && lines.includes(marked) ? marked : (lines[0] ?? 1);
  }

  set(some: Partial<Settings>): void {
    change(this.settings, some);
    this.#apply();
  }

  changeTheme(): void {
    this.set({ theme: nextTheme(this.settings) });
  }

  #apply(): void {
    const { theme, wrap, time, raw } = this.settings;
    this.#options.dark = theme === "dark" || (theme === "auto" && this.#dark.matches);
    this.#options.wrap = wrap;
    this.view.raw = raw;
    this.#options.showTime = time !== "none";
    if (time !== "none" && !this.#timing) {
      this.#scripts.use<typeof import("./timing.js")>("timing", (script) => this.#time(script));
    }
    this.view.refresh();
  }

  unlock(event: Event): void {
    event.preventDefault();
    const field = (event.target as HTMLFormElement).elements.namedItem("token") as HTMLInputElement;
    this.tried = true;
    this.log.unlock(field.value.trim());
    field.value = "";
  }

  presume(): void {
    this.log.naming.presuming = true;
    this.log.retry();
  }

  /** A link to the log is followed: where there is nothing behind it any more, that is said here, and if that turns out only now, too. */
  leaving(event: Event): void {
    const { connection } = this.log;
    if (/replaced|gone|denied/.test(connection.kind)) {
      event.preventDefault();
      this.notices.tell(`${this.state.text}: the log cannot be had any more`);
    } else this.log.check();
  }

  #listen(): void {
    this.#dark.addEventListener("change", () => this.#apply());
    setInterval(this.#redraw, 1000); // ages and countdowns
    document.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("copy", (event) => this.#copied(event));
    element("surface").addEventListener("click", (event) => this.#clicked(event));
  }

  #key(event: KeyboardEvent): void {
    if ((event.target as Element).closest("input, textarea, select, dialog")) return;
    const what = action(event, this.settings.letters);
    if (this.#scripts.holds(event, what !== null)) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "a") {
      event.preventDefault();
      return this.view.selectAll();
    }
    if (!what) return;
    if (event.key === " " && (event.target as Element).closest("button, a")) return;
    event.preventDefault();
    this.act(what);
  }

  #clicked(event: MouseEvent): void {
    const target = event.target as Element;
    const line = this.view.lineOf(target);
    if (line === null || this.view.meanings?.click(target, this.view.source.get(line))) return;
    if (target.closest(".fold") || (target.closest(".group .text") && getSelection()!.isCollapsed && !target.closest("a"))) this.#groups?.toggle(line);
    else if (target.closest(".more, .less")) {
      this.view.pause();
      if (target.closest(".less")) this.view.parts.shrink(line);
      else void this.view.parts.expand(line).catch((error) => this.notices.tell(reasonOf(error)));
    }
    else if (target.closest(".number") && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const from = event.shiftKey && this.view.marked ? this.view.marked.from : line;
      this.address.mark({ from: Math.min(from, line), to: Math.max(from, line) });
    }
  }
}

new App();
