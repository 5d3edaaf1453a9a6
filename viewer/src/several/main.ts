/** Several logs, side by side or merged: the parts, put together; when they are drawn; what keys and clicks do. */

import { render } from "lit-html";
import { Api } from "../api.js";
import { element } from "../dom.js";
import { stateOf } from "../list/connection.js";
import { type Log, Logs } from "../list/logs.js";
import { Naming } from "../list/naming.js";
import { type Connection, Watch } from "../list/watch.js";
import { pattern } from "../hits.js";
import { Notices } from "../notices.js";
import { change, load, nextTheme, nextTime, type Settings } from "../settings.js";
import { type Asked, folderOf, type Lines, MOST, read, write, writeLines } from "./address.js";
import * as chrome from "./chrome.js";
import type { Hit } from "./finder.js";
import type { Place, Way } from "./heads.js";
import { type Action, action } from "./keys.js";
import { Marking } from "./marking.js";
import { Pane } from "./pane.js";
import { type Around, Problems } from "./problems.js";
import { SearchBar } from "./searchbar.js";
import { type Entry, type Place as Beginning, Sequence } from "./sequence.js";
import { Source } from "./source.js";
import { Teller } from "./teller.js";

/** Requests for lines at a time: browsers allow six connections to a server, one is for the list, and two are for searches. */
const AT_ONCE = 3;
/** Milliseconds from one look for lines of a time to the next, while the user scrolls. */
const TOGETHER = 150;

class App implements chrome.Page {
  #frame = 0;
  readonly #redraw = () => this.#schedule();
  readonly settings: Settings = load();
  readonly notices = new Notices(this.#redraw);
  readonly #asked: Asked = read(location.search);
  readonly #api = new Api(location.pathname);
  readonly naming = new Naming(this.#api, () => this.#rename());
  readonly #logs = new Logs();
  readonly #watch = new Watch(this.#api, this.naming, this.#logs, this.#redraw);
  readonly #teller = new Teller();
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  readonly #folder = folderOf(this.#asked.names);
  readonly sources: readonly Source[];
  readonly #panes: readonly Pane[];
  readonly #search: SearchBar;
  readonly marking: Marking;
  readonly problems: Problems;
  together = true;
  #active: Pane;
  #aligning: ReturnType<typeof setTimeout> | undefined;
  #asking = 0;
  #newest = new Map<string, Log>();
  #changes = -1;

  constructor() {
    const { names, form } = this.#asked;
    const groups = form === "side" ? names.map((name) => [name]) : [names];
    const sources: Source[] = [];
    this.#panes = groups.map((group) => {
      const sequence = new Sequence(group.length);
      const own = group.map((name, at) => new Source(name, new Api(this.naming.address(name)), sequence, at));
      sources.push(...own);
      return new Pane(sequence, form === "side" ? this.title(own[0]!) : "all logs", this.#look(own), (pane, byUser) => this.#moved(pane, byUser));
    });
    this.sources = sources;
    this.#search = new SearchBar(sources, { title: (source) => this.title(source), start: (way) => this.#start(way), reveal: (hit) => this.#reveal(hit),
      focus: () => this.#active.surface.focus({ preventScroll: true }), remember: () => this.#remember(), redraw: this.#redraw });
    this.marking = new Marking(sources, this.notices, { title: (source) => this.title(source), looked: () => this.#looked(), pause: () => this.#pause(),
      reveal: (hit) => this.#reveal(hit), redraw: this.#redraw });
    this.problems = new Problems(sources, this.#grounds());
    this.#active = this.#panes[0]!;
    element("panes").replaceChildren(...this.#panes.map(({ element }) => element));
    element("panes").className = form;
    this.#takeToken();
    this.#listen();
    this.#active.surface.focus({ preventScroll: true });
    this.#openAll("end");
    void this.#watch.run();
    this.#search.begin(location.search);
  }

  #look(sources: readonly Source[]) {
    const app = this;
    return {
      settings: app.settings,
      get dark() {
        return app.settings.theme === "dark" || (app.settings.theme === "auto" && app.#dark.matches);
      },
      name: (track: number) => (app.form === "merged" ? app.title(sources[track]!) : ""),
      address: ({ track, line }: Entry) => `${app.address(sources[track]!)}#L${line}`,
      began: (track: number) => sources[track]!.log?.began ?? 0,
    };
  }

  // What is shown

  get form(): Asked["form"] {
    return this.#asked.form;
  }

  get connection(): Connection {
    return this.#watch.connection;
  }

  get isFinding(): boolean {
    return this.#search.isOpen;
  }

  get following(): boolean {
    return this.#panes.every(({ sequence }) => sequence.following);
  }

  get other(): string | null {
    const form = this.form === "side" ? "merged" : "side";
    return this.sources.length > MOST[form] || this.sources.length < 2 ? null : location.pathname + write({ ...this.#asked, form }) + this.#search.suffix + writeLines(this.marking.lines);
  }

  get list(): string {
    return location.pathname;
  }

  title(source: Source): string {
    return source.name.slice(this.#folder.length) || "log";
  }

  address(source: Source): string {
    return this.naming.address(source.name);
  }

  #schedule(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#show();
    });
  }

  #show(): void {
    this.#learn();
    render(chrome.head(this), element("head"));
    render(chrome.float(this), element("float"));
    this.#search.show();
    render(chrome.card(this), element("card"));
    render(chrome.foot(this), element("foot"));
    const dialog = element("help") as HTMLDialogElement;
    if (dialog.open) render(chrome.help(this), dialog);
    for (const pane of this.#panes) {
      render(chrome.top(this, this.sources.filter(({ sequence }) => sequence === pane.sequence)), pane.head);
      pane.draw();
    }
    this.#mark();
    this.marking.arrive();
    this.problems.ask();
    this.#pump();
    this.#teller.tell(this.sources.map((source) => `${this.title(source)}: ${source.state.text}`));
    const title = `${chrome.titleOf(this)} – ${stateOf(this.connection).text}`.replace(/ in \d+ s$/, "");
    if (document.title !== title) document.title = title;
  }

  /** Have all logs learn from the list. */
  #learn(): void {
    const { changes, all } = this.#logs;
    if (this.#changes !== changes) {
      this.#changes = changes;
      for (const source of this.sources) source.api.path = new Api(this.address(source)).path; // with the token or without, as the list has found out
      this.#newest.clear();
      const names = new Set(this.#asked.names);
      for (const log of all) if (names.has(log.status.name) && !this.#newest.has(log.status.name)) this.#newest.set(log.status.name, log);
    }
    for (const source of this.sources) source.learn(this.#logs, (name) => this.#newest.get(name));
  }

  /** Ask for what is wanted. */
  #pump(): void {
    for (const { sequence } of this.#panes) {
      sequence.fill();
      for (const want of sequence.wants()) {
        const source = this.sources.find((one) => one.sequence === sequence && one.at === want.track)!;
        if (this.#asking >= AT_ONCE) return;
        const asks = source.ask(want, () => {
          this.#asking -= asks ? 1 : 0;
          this.#schedule();
        });
        if (asks) this.#asking++;
      }
    }
  }

  /** Mark what the search finds in what is shown. */
  #mark(): void {
    const { query, current } = this.#search.finder;
    const literal = query.text && !query.regex ? pattern(query) : null;
    const ranges = this.#panes.flatMap((pane) => pane.mark((entry) => {
      const log = this.#logOf(pane, entry);
      return this.marking.has(log, entry.line) || (current?.log === log && current.at === entry.at);
    }, literal));
    if (typeof Highlight !== "undefined") CSS.highlights.set("hit", new Highlight(...ranges));
  }

  #moved(pane: Pane, byUser = false): void {
    this.#schedule();
    if (!byUser) return;
    this.#active = pane;
    if (this.together) this.#aligning ??= setTimeout(() => this.#align(), TOGETHER);
  }

  /** Have the panes beside the active one at the same time. */
  #align(): void {
    this.#aligning = undefined;
    const { following } = this.#active.sequence;
    const time = this.#active.first?.time;
    for (const pane of this.#panes) {
      if (pane === this.#active || (following && pane.sequence.following)) continue;
      if (following) pane.sequence.open("end");
      else if (time !== undefined) pane.toTime(time);
    }
    this.#schedule();
  }

  /** Make new windows in all panes. */
  #openAll(place: Beginning): void {
    for (const { sequence } of this.#panes) sequence.open(place);
    this.#schedule();
  }

  // What the user does

  act(what: Action): void {
    this.#acts[what]();
    this.#schedule();
  }

  readonly #acts: Record<Action, () => unknown> = {
    down: () => this.#active.step(1),
    up: () => this.#active.step(-1),
    pageDown: () => this.#active.step(1, true),
    pageUp: () => this.#active.step(-1, true),
    top: () => {
      this.#openAll("start");
      for (const pane of this.#panes) pane.toTop();
    },
    end: () => this.#toEnd(),
    follow: () => (this.following ? this.#pause() : this.#toEnd()),
    line: () => this.#open("line"),
    nextProblem: () => this.problems.walk(1),
    previousProblem: () => this.problems.walk(-1),
    problems: () => this.problems.togglePanel(),
    copy: () => this.marking.link(),
    wrap: () => this.set({ wrap: !this.settings.wrap }),
    time: () => this.set({ time: nextTime(this.settings) }),
    together: () => {
      this.together = !this.together;
      if (this.together) this.#align();
    },
    search: () => this.#search.open(),
    next: () => this.#search.hop(1),
    previous: () => this.#search.hop(-1),
    leave: () => {
      if (this.#search.isOpen) this.#search.close();
      else if (!this.problems.close()) this.marking.mark(null);
    },
    help: () => this.#open("help"),
  };

  #open(id: "help" | "line"): void {
    for (const other of document.querySelectorAll("dialog")) other.close();
    const dialog = element(id) as HTMLDialogElement;
    render((id === "help" ? chrome.help : chrome.goTo)(this), dialog);
    dialog.showModal();
  }

  /** A number of a line was clicked. */
  #clicked(pane: Pane, event: MouseEvent): void {
    const entry = pane.numbered(event.target as Element);
    if (!entry || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.marking.pick(this.#logOf(pane, entry), entry.line, event.shiftKey);
  }

  /** Where a search begins that has not found anything yet. */
  #start(way: Way): Place | null {
    const pane = this.#active;
    if (pane.sequence.following && way < 0) return null;
    const entry = way < 0 ? pane.last : pane.first;
    return entry && { time: entry.time, log: this.#logOf(pane, entry), at: entry.at - way };
  }

  /** Which of the logs a line is of. */
  #logOf(pane: Pane, { track }: Entry): number {
    return this.sources.findIndex(({ sequence, at }) => sequence === pane.sequence && at === track);
  }

  /** The line that is looked at; null: the end is followed. */
  #looked(): Lines | null {
    const pane = this.#active;
    const { first } = pane;
    return first && !pane.sequence.following ? { log: this.#logOf(pane, first), from: first.line, to: first.line } : null;
  }

  /** What problems are walked through in. */
  #grounds(): Around {
    const app = this;
    return {
      settings: app.settings, redraw: app.#redraw,
      set: (change) => app.set(change), title: (source) => app.title(source), start: (way) => app.#start(way), tell: (text) => app.notices.tell(text),
      sees: ({ log, at }) => app.#panes.some((pane) => pane.sequence === app.sources[log]!.sequence && pane.sees(app.sources[log]!.at, at)),
      go(entry) {
        app.marking.note({ log: entry.log, from: entry.line, to: entry.last });
        app.#reveal(entry);
      },
      ground: { get surface() { return app.#active.surface; }, lines: [], toLine() {} },
    };
  }

  #pause(): void {
    for (const { sequence } of this.#panes) sequence.following = false;
  }

  #reveal({ source, at, time }: Hit): void {
    for (const pane of this.#panes) {
      if (pane.sequence === source.sequence) {
        pane.toLine(source.at, at, time);
        this.#active = pane;
      } else if (this.together) pane.toTime(time);
    }
    this.#schedule();
  }

  #remember(): void {
    history.replaceState(history.state, "", location.pathname + write(this.#asked) + this.#search.suffix + location.hash);
  }

  /** Show the end of all logs, and follow them. What is at its end already stays. */
  #toEnd(): void {
    if (this.#panes.some(({ sequence }) => !sequence.isAtEnd)) return this.#openAll("end");
    for (const { sequence } of this.#panes) sequence.following = true;
  }

  set(some: Partial<Settings>): void {
    change(this.settings, some);
    this.#schedule();
  }

  changeTheme(): void {
    this.set({ theme: nextTheme(this.settings) });
  }

  retry(): void {
    for (const source of this.sources) source.retry();
    this.#watch.retry();
  }

  unlock(event: Event): void {
    event.preventDefault();
    const field = (event.target as HTMLFormElement).elements.namedItem("token") as HTMLInputElement;
    const token = field.value.trim();
    field.value = "";
    if (!token) return;
    this.naming.unlock(token);
    this.retry();
  }

  /** The page is about another path than its address says: it is opened at that. */
  #rename(): void {
    history.replaceState(history.state, "", this.naming.page + location.search);
  }

  /** A token in the fragment is for this page, and not for whoever looks at the address. */
  #takeToken(): void {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (token === null) return;
    this.#api.keep(token);
    history.replaceState(history.state, "", location.pathname + location.search);
  }

  #listen(): void {
    setInterval(this.#redraw, 1000); // countdowns, and patience
    this.#dark.addEventListener("change", this.#redraw);
    addEventListener("online", () => this.retry());
    document.addEventListener("keydown", (event) => this.#key(event));
    for (const pane of this.#panes) {
      pane.element.addEventListener("focusin", () => (this.#active = pane));
      pane.element.addEventListener("click", (event) => this.#clicked(pane, event));
    }
  }

  #key(event: KeyboardEvent): void {
    const target = event.target as Element;
    if (target.closest("input[type=text], input[type=password], dialog")) return;
    const what = action(event, this.settings.letters);
    if (!what) return;
    if (event.key === " " && target.closest("button, a")) return;
    event.preventDefault();
    this.act(what);
  }
}

new App();
