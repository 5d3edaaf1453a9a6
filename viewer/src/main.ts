/** The page: its parts, put together; when it is drawn; what keys and clicks do. */

import { render, type TemplateResult } from "lit-html";
import { Address } from "./address.js";
import { Announcer } from "./announcer.js";
import { Api, reasonOf } from "./api.js";
import { Bar } from "./bar.js";
import * as chrome from "./chrome.js";
import { Copying } from "./copying.js";
import { element } from "./dom.js";
import { Finder } from "./finder.js";
import { Groups } from "./groups.js";
import { highlight } from "./hits.js";
import { type Action, action } from "./keys.js";
import { Log } from "./log.js";
import { Notices } from "./notices.js";
import { duration } from "./rows.js";
import { Search } from "./search.js";
import { load, save, type Settings } from "./settings.js";
import { type State, stateOf } from "./state.js";
import { View } from "./view.js";

class App implements chrome.Page {
  #frame = 0;
  readonly settings: Settings = load();
  readonly #redraw = () => this.#schedule();
  readonly api = new Api(location.pathname, location.search);
  readonly notices = new Notices(this.#redraw);
  readonly log: Log = new Log(this.api, this.#redraw, (shift) => {
    this.view.renumber(shift);
    this.#announcer.renumber(shift);
  });
  readonly #options = { wrap: this.settings.wrap, dark: false, showTime: false, time: (time: number) => this.#time(time) };
  readonly view: View = new View(element("surface"), this.log, this.#options, this.#redraw);
  readonly search = new Search(this.api, this.#redraw);
  readonly address = new Address(this.api, this.log, this.view, this.notices, this.#redraw);
  readonly copying = new Copying(this.log, this.view, this.notices, () => this.fileName);
  readonly finder = new Finder(this.api, this.log, this.view, this.search, this.address, this.notices, () => {
    this.#render("search");
    this.#redraw();
  });
  tried = false;

  readonly #announcer = new Announcer(this.log);
  readonly #bar = new Bar(this.log, this.view, this.search);
  readonly #groups = new Groups(this.api, this.log, this.view);
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  readonly #templates = new Map<string, () => unknown>([
    ["head", () => chrome.head(this)],
    ["foot", () => chrome.foot(this)],
    ["search", () => chrome.searchBar(this)],
    ["float", () => chrome.float(this)],
    ["card", () => chrome.card(this)],
    ["help", () => chrome.help(this)],
    ["line", () => chrome.goTo(this)],
  ]);
  /** The search that the address names, until there is something to search. */
  #query = this.address.query;

  constructor() {
    this.view.decorate = (rows) => highlight(rows, this.search, this.view);
    this.#apply();
    this.#listen();
    element("surface").focus({ preventScroll: true });
    void this.log.run();
    if (this.#query) this.finder.open(false, this.#query.text);
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
    return `${this.name.replaceAll("/", "-") || "log"}.log`;
  }

  raw(query: Record<string, string> = {}): string {
    return this.api.raw(this.name, query);
  }

  get fresh(): number {
    return this.view.following || this.log.ended ? 0 : Math.max(0, this.log.store.last - this.view.seen);
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
    this.#bar.show(this.#options.dark);
    const title = `${this.state.text} – ${this.title}`;
    if (document.title !== title) document.title = title;
    this.#announcer.say(this.state.text, this.settings.aloud);
    this.#groups.ask();
    if (this.log.store.size > 0 && this.#query) this.finder.find(this.#query, !this.view.following);
    if (this.log.store.size > 0) this.#query = null;
    void this.search.more(this.log.store.size);
  }

  #time(milliseconds: number): string {
    const time = new Date(milliseconds);
    if (this.settings.time === "ago") return `~${duration(Math.max(0, (Date.now() - milliseconds) / 1000))} ago`;
    if (this.settings.time === "utc") return `~${time.toISOString().slice(11, 19)}Z`;
    return `~${time.toLocaleTimeString("en-GB")}`;
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
    end: () => this.view.follow(),
    follow: () => (this.view.following ? this.view.pause() : this.view.follow()),
    search: () => this.finder.open(true),
    next: () => this.finder.hop(true),
    previous: () => this.finder.hop(false),
    nextError: () => this.finder.hopError(true),
    previousError: () => this.finder.hopError(false),
    line: () => this.#openDialog("line"),
    fold: () => this.#groups.toggleAround(this.#middle),
    foldAll: () => this.#groups.toggleAll(),
    wrap: () => this.set({ wrap: !this.settings.wrap }),
    time: () => {
      const times = ["none", "local", "utc", "ago"] as const;
      this.set({ time: times[(times.indexOf(this.settings.time) + 1) % 4]! });
    },
    copy: () => this.copying.link(this.address.link(this.#middle)),
    help: () => this.#openDialog("help"),
    leave: () => {
      if (this.finder.isOpen) this.finder.close();
      else if (this.view.selection) this.view.deselect();
      else this.address.mark(null);
    },
  };

  #openDialog(id: "help" | "line"): void {
    for (const other of document.querySelectorAll("dialog")) other.close();
    this.#render(id);
    (element(id) as HTMLDialogElement).showModal();
  }

  /** The line that is looked at: the marked one if it is visible, or the first one. */
  get #middle(): number {
    const lines = this.view.lines;
    const marked = this.search.current ?? this.view.marked?.from;
    return marked !== undefined && lines.includes(marked) ? marked : (lines[0] ?? 1);
  }

  set(change: Partial<Settings>): void {
    Object.assign(this.settings, change);
    save(this.settings);
    this.#apply();
  }

  changeTheme(): void {
    const themes = ["auto", "light", "dark"] as const;
    this.set({ theme: themes[(themes.indexOf(this.settings.theme) + 1) % 3]! });
  }

  #apply(): void {
    const { theme, wrap, time } = this.settings;
    document.documentElement.dataset["theme"] = theme;
    this.#options.dark = theme === "dark" || (theme === "auto" && this.#dark.matches);
    this.#options.wrap = wrap;
    this.#options.showTime = time !== "none";
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

  goToTyped(event: Event): void {
    const field = (event.target as HTMLFormElement).elements.namedItem("number") as HTMLInputElement;
    const asked = Number(field.value);
    const line = Math.min(asked, this.log.store.last);
    field.value = "";
    if (!(line >= 1)) return;
    this.address.missing(asked);
    this.address.mark({ from: line, to: line });
    this.view.toLine(line);
    element("surface").focus();
  }

  #listen(): void {
    this.#dark.addEventListener("change", () => this.#apply());
    setInterval(this.#redraw, 1000); // ages and countdowns
    document.addEventListener("keydown", (event) => this.#key(event));
    element("surface").addEventListener("click", (event) => this.#clicked(event));
  }

  #key(event: KeyboardEvent): void {
    if ((event.target as Element).closest("input, textarea, select, dialog")) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "a") {
      event.preventDefault();
      return this.view.selectAll();
    }
    const what = action(event, this.settings.letters);
    if (!what) return;
    if (event.key === " " && (event.target as Element).closest("button, a")) return;
    event.preventDefault();
    this.act(what);
  }

  #clicked(event: MouseEvent): void {
    const target = event.target as Element;
    const line = this.view.lineOf(target);
    if (line === null) return;
    if (target.closest(".fold") || (target.closest(".group .text") && getSelection()!.isCollapsed && !target.closest("a"))) this.#groups.toggle(line);
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
