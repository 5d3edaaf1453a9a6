/** The page: its parts, put together; when it is drawn; what keys and clicks do. */

import { nothing, render, type TemplateResult } from "lit-html";
import { Address } from "./address.js";
import { Api, reasonOf } from "./api.js";
import { listOf } from "./back.js";
import { Bar } from "./bar.js";
import * as chrome from "./chrome.js";
import type { Copying } from "./copying.js";
import { element } from "./dom.js";
import type { Finder } from "./finder.js";
import type { Gaps } from "./gaps.js";
import { type Action, action } from "./keys.js";
import type { Jump } from "./jump.js";
import { Log } from "./log.js";
import { Notices } from "./notices.js";
import { Scripts } from "./scripts.js";
import { change, load, nextTheme, nextTime, type Settings } from "./settings.js";
import { seen } from "./sgr.js";
import type { Soon } from "./soon.js";
import { type State, stateOf } from "./state.js";
import type { Timing } from "./timing.js";
import { View } from "./view.js";

/** Milliseconds after which a log may have gaps that are marked. */
const OLD = 5000;

class App implements chrome.Page {
  #frame = 0;
  readonly settings: Settings = load();
  readonly redraw = () => this.#schedule();
  readonly api = new Api(location.pathname, location.search);
  readonly notices = new Notices(this.redraw);
  readonly log: Log = new Log(this.api, this.redraw, (shift) => {
    this.view.renumber(shift);
    this.#soon?.renumber(shift);
  });
  readonly #options = { wrap: this.settings.wrap, dark: false, showTime: false, time: (line: number) => this.#timing?.of(line, this.settings.time) ?? { text: "", title: "" } };
  readonly view: View = new View(element("surface"), this.log, this.#options, this.redraw);
  readonly address = new Address(this.api, this.log, this.view, this.notices, this.redraw);
  jump: Jump | null = null;
  #copying: Copying | null = null;
  #timing: Timing | null = null;
  #gaps: Gaps | null = null;
  #soon: Soon | null = null;
  #cards: typeof import("./cards.js") | null = null;
  finder: Finder | null = null;
  tried = false;
  readonly scripts = new Scripts(this.api, this.notices, this.redraw, (event) => this.#key(event));
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

  get isDark(): boolean {
    return this.#options.dark;
  }

  raw(query: Record<string, string> = {}): string {
    return this.api.raw(this.name, query);
  }

  get download(): string {
    return this.finder?.only ? this.api.raw(this.name, this.finder.only, "search") : this.raw(this.log.ended ? {} : { follow: "0" });
  }

  problemCounts(): unknown {
    return this.#soon?.problems.summary() ?? nothing;
  }

  markedLines(): unknown {
    return this.#copying?.lines(() => this.act("copy"), () => this.address.mark(null)) ?? nothing;
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
    if (this.#soon) this.#soon.show();
    else if (this.log.connection.kind !== "opening") void this.scripts.quietly<typeof import("./soon.js")>("soon", (script) => this.#begin(script));
    if (this.#gaps) void this.#gaps.ask();
    else if (this.log.began !== undefined && this.log.now - this.log.began >= OLD) void this.scripts.quietly<typeof import("./timing.js")>("timing", (script) => this.#time(script));
    if (this.#options.showTime) this.#timing?.need(this.view.lines);
    if (this.log.store.size > 0 && this.#query && this.finder) {
      this.finder.find(this.#query, this.address.again || !this.view.following);
      this.#query = null;
    }
    this.finder?.look();
    if (seen.rows && !this.view.terminal) void this.scripts.quietly<typeof import("./terminal.js")>("terminal", ({ Terminal }) => (this.view.terminal ??= new Terminal(this.view, this.log, this.redraw)));
    // What is selected or marked may be copied at once.
    if ((this.view.selection || this.view.marked) && !this.#copying) void this.scripts.quietly<typeof import("./copying.js")>("copying", (script) => this.#copier(script));
    if (!this.#cards && chrome.hasCard(this.log)) void this.scripts.quietly<typeof import("./cards.js")>("cards", (script) => (this.#cards = script));
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
    nextProblem: () => this.#later(({ problems }) => problems.walk(true)),
    previousProblem: () => this.#later(({ problems }) => problems.walk(false)),
    problems: () => this.#later(({ problems }) => problems.togglePanel()),
    nextGap: () => this.#gap(true),
    previousGap: () => this.#gap(false),
    compare: () => this.#later((soon) => soon.compare()),
    line: () => this.#openDialog("line"),
    fold: () => this.#later(({ groups }) => groups.toggleAround(this.#middle)),
    foldAll: () => this.#later(({ groups }) => groups.toggleAll()),
    raw: () => {
      this.set({ raw: !this.settings.raw });
      this.notices.tell(this.settings.raw ? "Lines are shown as they are in the log" : "Lines are shown as what they mean");
    },
    open: () => this.#open(this.#middle),
    wrap: () => this.set({ wrap: !this.settings.wrap }),
    time: () => this.set({ time: nextTime(this.settings) }),
    copy: () => {
      const link = this.address.link(this.#middle);
      this.copy((copying) => copying.link(link));
    },
    help: () => this.#openDialog("help"),
    logBefore: () => this.#beside(false),
    nextLog: () => this.#beside(true),
    leave: () => {
      if (this.jump?.back()) return;
      if (this.finder?.isOpen) return this.finder.close(true);
      if (this.#soon?.close()) return;
      if (this.view.selection) this.view.deselect();
      else this.address.mark(null);
    },
  };

  #searchBar: typeof import("./searchbar.js").searchBar | null = null;

  #time({ Timing, Gaps }: typeof import("./timing.js")): void {
    this.#timing ??= new Timing(this.api, this.log, () => this.view.source, this.redraw);
    this.#gaps ??= new Gaps(this.api, this.log, (make) => this.view.change(make));
    this.view.gaps = this.#gaps.map;
    this.redraw();
  }

  #gap(down: boolean): void {
    this.scripts.use<typeof import("./timing.js")>("timing", (script) => {
      this.#time(script);
      void script.walk(this, this.#gaps!, down);
    });
  }

  /** Show all of a line, or fold it. */
  #open(line: number): void {
    const { meanings, source, terminal, parts } = this.view;
    if (meanings?.toggle(source.get(line)) || terminal?.toggle(line)) return;
    this.view.pause();
    void parts.toggle(line).catch((error) => this.notices.tell(reasonOf(error)));
  }

  #begin({ Soon }: typeof import("./soon.js")): Soon {
    return (this.#soon ??= new Soon(this));
  }

  #later(act: (soon: Soon) => void): void {
    if (this.#soon) act(this.#soon);
    else this.scripts.use<typeof import("./soon.js")>("soon", (script) => act(this.#begin(script)));
  }

  #find(act: (finder: Finder) => void): void {
    if (this.finder) return act(this.finder);
    this.scripts.use<typeof import("./finding.js")>("finding", ({ Finder, searchBar }) => {
      this.#searchBar = searchBar;
      this.finder ??= new Finder(this.api, this.log, this.view, this.address, () => {
        this.#render("search");
        this.redraw();
      }, (text) => this.notices.tell(text), () => this.act("leave"), this.redraw);
      act(this.finder);
      this.redraw();
    });
  }

  copy(act: (copying: Copying) => unknown): void {
    if (this.#copying) act(this.#copying);
    else this.scripts.use<typeof import("./copying.js")>("copying", (script) => act(this.#copier(script)));
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
    this.scripts.use<typeof import("./help.js")>("help", ({ go }) => go(this, behind));
  }

  #openDialog(id: "help" | "line"): void {
    if (this.#help) this.#help.open(this, id);
    else this.scripts.use<typeof import("./help.js")>("help", (help) => (this.#help = help).open(this, id));
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
      this.scripts.use<typeof import("./timing.js")>("timing", (script) => this.#time(script));
    }
    this.view.refresh();
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
    setInterval(this.redraw, 1000); // ages and countdowns
    document.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("copy", (event) => this.#copied(event));
    element("surface").addEventListener("click", (event) => this.#clicked(event));
  }

  #key(event: KeyboardEvent): void {
    if ((event.target as Element).closest("input, textarea, select, dialog")) return;
    const what = action(event, this.settings.letters);
    if (this.scripts.holds(event, what !== null)) return;
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
    if (target.closest(".fold") || (target.closest(".group .text") && getSelection()!.isCollapsed && !target.closest("a"))) this.#soon?.groups.toggle(line);
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
