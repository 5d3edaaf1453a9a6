/** The page: a log, a view of it, a search, and what the user does with them. */

import { render, type TemplateResult } from "lit-html";
import { type Action, action } from "./keys.js";
import { Api } from "./api.js";
import * as chrome from "./chrome.js";
import { copy, download, MUCH, plain } from "./copy.js";
import * as fragment from "./fragment.js";
import { Log } from "./log.js";
import { duration, type Row, spot } from "./rows.js";
import { type Query, Search } from "./search.js";
import { load, save, type Settings } from "./settings.js";
import * as scroller from "./scroller.js";
import { View } from "./view.js";

const ERRORS = "\\b(error|fatal|failed|failure|exception|panic|traceback)\\b";
const SAID_EVERY = 5000;
/** Lines that are read out in a second. */
const READ = 3;

const element = (id: string) => document.getElementById(id)!;

export class App {
  readonly settings: Settings = load();
  readonly api = new Api(location.pathname);
  readonly log: Log;
  readonly view: View;
  readonly search: Search;
  notice: { text: string; label?: string; act?: () => void } | null = null;
  searching = false;
  /** Whether a token has been typed in already. */
  tried = false;

  #frame = 0;
  #place: fragment.Fragment = fragment.read(location.hash);
  #said = { text: "", etag: "", lines: 0, time: 0 };
  #groups = { asked: 0, size: -1 };
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

  constructor() {
    const changed = () => this.#schedule();
    this.log = new Log(this.api, changed, (shift) => {
      this.view.renumber(shift);
      this.#said.lines += shift;
    });
    const options = {
      wrap: this.settings.wrap,
      dark: false,
      showTime: false,
      time: (time: number) => this.#time(time),
    };
    this.view = new View(element("surface"), this.log, options, changed);
    this.#options = options;
    this.search = new Search(this.api, changed);
    this.view.decorate = (rows) => this.#highlight(rows);
    this.#takeToken();
    this.view.following = this.#place.lines === null && this.#place.byte === null;
    this.#apply();
    this.#listen();
    element("surface").focus({ preventScroll: true });
    void this.log.run();
    const text = new URLSearchParams(location.search).get("q");
    if (text) {
      this.#openSearch(false);
      this.#searchInput.value = text;
      const whole = new URLSearchParams(location.search);
      void this.#opened.then(() => this.find({ text, matchCase: whole.has("case"), regex: whole.has("regex") }));
    }
  }

  readonly #options: { wrap: boolean; dark: boolean; showTime: boolean };
  #open: () => void = () => {};
  readonly #opened = new Promise<void>((resolve) => (this.#open = resolve));

  // What is shown

  get name(): string {
    return this.log.status?.name ?? "";
  }

  get title(): string {
    return this.log.status?.title || this.name || "Log";
  }

  get fileName(): string {
    return `${this.name.replaceAll("/", "-") || "log"}.log`;
  }

  get raw(): string {
    return this.api.raw(this.name);
  }

  /** Lines that have come since the view was paused. */
  get fresh(): number {
    return this.view.following || this.log.ended ? 0 : Math.max(0, this.log.store.last - this.view.seen);
  }

  #schedule(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#show();
    });
  }

  #show(): void {
    this.#arrive();
    this.view.render();
    for (const [id, template] of this.#templates) {
      const place = element(id);
      if (place instanceof HTMLDialogElement ? place.open : !place.hidden) render(template() as TemplateResult, place);
    }
    this.#bar();
    const title = `${chrome.stateOf(this).text} – ${this.title}`;
    if (document.title !== title) document.title = title;
    this.#say();
    this.#askGroups();
    void this.search.more(this.log.store.size);
    if (this.log.store.size > 0) this.#open();
  }

  /** Go where the address says, as soon as there is such a place. */
  #arrive(): void {
    const { lines, byte } = this.#place;
    const { store, etag } = this.log;
    if ((!lines && byte === null) || !store.numbered || !etag) return;
    this.#place = { ...this.#place, lines: null, byte: null };
    this.view.seen = store.last;
    if (lines) {
      this.view.marked = lines;
      this.view.toLine(Math.min(lines.from + Math.floor((lines.to - lines.from) / 2), lines.from + Math.floor(this.view.page / 2)));
    } else {
      void this.api.lines({ at: String(byte), count: "1" }).then(({ first }) => first && this.view.toLine(first));
    }
  }

  #bar(): void {
    const bar = element("bar");
    const lines = this.view.geometry;
    const { top, height } = scroller.thumb(lines, this.view.anchor, bar.clientHeight);
    const thumb = element("thumb");
    thumb.style.top = `${top * 100}%`;
    thumb.style.height = `${height * 100}%`;
    thumb.hidden = !this.log.store.numbered || height >= 1;
    bar.setAttribute("aria-valuenow", String(Math.round(scroller.ratio(lines, this.view.anchor) * 100)));
    this.#marks(element("marks") as HTMLCanvasElement);
  }

  #marked = "";

  /** Where in the log hits and marked lines are. */
  #marks(canvas: HTMLCanvasElement): void {
    const { hits } = this.search;
    const { marked } = this.view;
    const { last } = this.log.store;
    const { clientWidth: width, clientHeight: height } = canvas;
    const key = [hits.length, hits[0], marked?.from, marked?.to, last, width, height, this.#options.dark].join();
    if (key === this.#marked) return;
    this.#marked = key;
    [canvas.width, canvas.height] = [width, height];
    const pen = canvas.getContext("2d")!;
    pen.fillStyle = this.#options.dark ? "#e3b341" : "#b07a00";
    for (const line of hits) pen.fillRect(2, Math.floor(((line - 1) / last) * (height - 2)), width - 4, 2);
    pen.fillStyle = this.#options.dark ? "#8ab4ff" : "#1d4fd7";
    if (marked) pen.fillRect(0, ((marked.from - 1) / last) * (height - 3), width, Math.max(3, ((marked.to - marked.from) / last) * height));
  }

  /**
   * For those who listen: what has happened, and never more than every few seconds. New lines are read to them, if they
   * want it, while there are few in a second; they are counted otherwise.
   */
  #say(): void {
    const { store, etag } = this.log;
    const now = Date.now();
    const last = store.get(store.last)?.finished === false ? store.last - 1 : store.last;
    const lines = etag === this.#said.etag ? last - this.#said.lines : 0;
    const read = this.settings.aloud && lines > 0 && lines <= READ;
    if (now - this.#said.time < (read ? 1000 : SAID_EVERY)) return;
    const state = chrome.stateOf(this).text.replace(/, .* new$| in \d+ s$/, "");
    const texts = [state === this.#said.text ? "" : state];
    if (read) for (let line = last - lines + 1; line <= last; line++) texts.push(plain(store.get(line)?.bytes ?? new Uint8Array()));
    else if (lines > 0) texts.push(`${chrome.count(lines)} new lines`);
    this.#said = { text: state, etag, lines: last, time: now };
    const text = texts.filter(Boolean).join(", ");
    if (text) element("said").textContent = text;
  }

  #highlight(rows: readonly Row[]): void {
    const { query, hits, current } = this.search;
    const known = new Set(query.regex ? hits : []);
    for (const row of rows) {
      row.element.classList.toggle("hit-row", row.line === current || (query.regex && known.has(row.line)));
    }
    if (typeof Highlight === "undefined") return;
    const [all, now] = [new Highlight(), new Highlight()];
    if (query.text && !query.regex) for (const row of rows) this.#ranges(row, query, row.line === current ? now : all);
    CSS.highlights.set("hit", all);
    CSS.highlights.set("hit-now", now);
  }

  #ranges(row: Row, { text, matchCase }: Query, into: Highlight): void {
    const fold = (what: string) => (matchCase ? what : what.toLowerCase());
    const whole = row.text.textContent ?? "";
    const hay = fold(whole);
    if (hay.length !== whole.length) return;
    const needle = fold(text);
    for (let found = hay.indexOf(needle), many = 0; found >= 0 && many < 100; found = hay.indexOf(needle, found + needle.length), many++) {
      const range = document.createRange();
      range.setStart(...spot(row.text, found));
      range.setEnd(...spot(row.text, found + needle.length));
      into.add(range);
    }
  }

  /** Ask what groups there are: at first, and now and then while the log grows. */
  #askGroups(): void {
    const { size } = this.log.store;
    const now = Date.now();
    if (!this.log.store.numbered || size === this.#groups.size || now - this.#groups.asked < 2000 || !this.log.etag) return;
    if (this.#groups.size >= 0 && this.view.folds.size === 0 && now - this.#groups.asked < 10000) return;
    this.#groups = { asked: now, size };
    void this.api
      .groups(this.view.folds.frontier)
      .then(({ groups }) => {
        if (!groups.length) return;
        this.view.folds.learn(groups);
        this.view.refresh();
      })
      .catch(() => {});
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
    search: () => this.#openSearch(true),
    next: () => this.#hop(true),
    previous: () => this.#hop(false),
    nextError: () => this.#hopError(true),
    previousError: () => this.#hopError(false),
    line: () => this.#openDialog("line"),
    fold: () => {
      const group = this.view.folds.around(this.#middle);
      if (group !== null) this.toggle(group);
    },
    foldAll: () => {
      this.view.folds.toggleAll();
      this.view.refresh();
    },
    wrap: () => this.set({ wrap: !this.settings.wrap }),
    time: () => {
      const times = ["none", "local", "utc", "ago"] as const;
      this.set({ time: times[(times.indexOf(this.settings.time) + 1) % 4]! });
    },
    copy: () => this.#copyLink(),
    help: () => this.#openDialog("help"),
    leave: () => {
      if (this.searching) this.closeSearch();
      else if (this.view.selection) this.view.deselect();
      else this.mark(null);
    },
  };

  #openDialog(id: "help" | "line"): void {
    for (const other of document.querySelectorAll("dialog")) other.close();
    const dialog = element(id) as HTMLDialogElement;
    render(this.#templates.get(id)!() as TemplateResult, dialog);
    dialog.showModal();
  }

  /** The line that is looked at: the marked one if it is visible, or the first one. */
  get #middle(): number {
    const lines = this.view.lines;
    const marked = this.search.current ?? this.view.marked?.from;
    return marked !== undefined && lines.includes(marked) ? marked : (lines[0] ?? 1);
  }

  toggle(group: number): void {
    this.view.pause();
    this.view.folds.toggle(group);
    if (!this.view.lines.includes(group)) this.view.toLine(group);
    this.view.refresh();
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

  #listen(): void {
    this.#dark.addEventListener("change", () => this.#apply());
    setInterval(() => this.#schedule(), 1000); // ages and countdowns
    document.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("popstate", (event) => this.#back(event.state as { anchor?: scroller.Anchor; following?: boolean } | null));
    element("surface").addEventListener("click", (event) => this.#clicked(event));
    document.addEventListener("copy", (event) => this.#copied(event));
    this.#drag(element("bar"));
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
    if (target.closest(".fold") || (target.closest(".group .text") && getSelection()!.isCollapsed && !target.closest("a"))) this.toggle(line);
    else if (target.closest(".more")) void this.view.expand(line).catch(() => this.tell("The log could not be read"));
    else if (target.closest(".number") && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      const from = event.shiftKey && this.view.marked ? this.view.marked.from : line;
      this.mark({ from: Math.min(from, line), to: Math.max(from, line) });
    }
  }

  /** Mark lines, and put them into the address; going back undoes it. */
  mark(lines: fragment.Lines | null): void {
    if (!this.log.store.numbered) return;
    this.view.pause();
    if (lines === null && this.view.marked === null) return;
    const { anchor, following } = this.view;
    history.replaceState({ anchor, following }, "");
    history.pushState({ anchor, following: false }, "", fragment.write(lines) || location.pathname + location.search);
    this.view.marked = lines;
    this.#schedule();
  }

  #back(state: { anchor?: scroller.Anchor; following?: boolean } | null): void {
    this.#takeToken();
    const { lines, byte } = fragment.read(location.hash);
    this.view.marked = lines;
    if (state?.anchor) {
      this.view.anchor = state.anchor;
      this.view.following = state.following ?? false;
    } else if (lines || byte !== null) {
      this.view.following = false;
      this.#place = { lines, byte, token: null };
    }
    this.#schedule();
  }

  /** A token in the fragment is for this page, and not for whoever looks at the address. */
  #takeToken(): void {
    const { token, lines } = fragment.read(location.hash);
    if (token === null) return;
    this.api.keep(token);
    history.replaceState(history.state, "", fragment.write(lines) || location.pathname + location.search);
  }

  unlock(event: Event): void {
    event.preventDefault();
    const field = (event.target as HTMLFormElement).elements.namedItem("token") as HTMLInputElement;
    this.api.keep(field.value.trim());
    this.tried = true;
    this.log.retry();
  }

  reload(): void {
    history.replaceState(null, "", location.pathname + location.search);
    location.reload();
  }

  goToTyped(event: Event): void {
    const field = (event.target as HTMLFormElement).elements.namedItem("number") as HTMLInputElement;
    const line = Math.min(Number(field.value), this.log.store.last);
    field.value = "";
    if (!(line >= 1)) return;
    this.mark({ from: line, to: line });
    this.view.toLine(line);
    element("surface").focus();
  }

  #drag(bar: HTMLElement): void {
    let grip = 0;
    const to = (event: PointerEvent) => {
      const { top, height } = bar.getBoundingClientRect();
      const thumb = element("thumb").getBoundingClientRect().height;
      this.view.toRatio((event.clientY - top - grip) / Math.max(1, height - thumb));
    };
    bar.addEventListener("pointerdown", (event) => {
      if (!this.log.store.numbered) return;
      const thumb = element("thumb").getBoundingClientRect();
      const inside = event.clientY >= thumb.top && event.clientY <= thumb.bottom;
      grip = inside ? event.clientY - thumb.top : thumb.height / 2;
      bar.setPointerCapture(event.pointerId);
      if (!inside) to(event);
    });
    bar.addEventListener("pointermove", (event) => bar.hasPointerCapture(event.pointerId) && to(event));
    bar.addEventListener("wheel", (event) => this.view.by(event.deltaY), { passive: true });
  }

  // Searching

  get #searchInput(): HTMLInputElement {
    return element("search").querySelector("input")!;
  }

  get searchText(): string {
    return this.#searchInput.value;
  }

  #openSearch(focus: boolean): void {
    this.searching = true;
    element("search").hidden = false;
    render(chrome.searchBar(this), element("search"));
    if (focus) this.#searchInput.select();
    if (focus) this.#searchInput.focus();
    this.#schedule();
  }

  closeSearch(): void {
    clearTimeout(this.#typing);
    this.searching = false;
    element("search").hidden = true;
    this.search.clear();
    this.#remember("");
    element("surface").focus();
  }

  #typing: ReturnType<typeof setTimeout> | undefined;

  searchTyped(): void {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.find({ ...this.search.query, text: this.searchText }), 250);
  }

  searchKey(event: KeyboardEvent): void {
    if (event.key === "Escape") this.closeSearch();
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (this.searchText !== this.search.query.text) this.find({ ...this.search.query, text: this.searchText });
    else this.#hop(!event.shiftKey);
  }

  find(query: Query): void {
    clearTimeout(this.#typing);
    this.#remember(query.text, query);
    void this.search.run(query, this.log.store.size, () => this.#hop(false));
  }

  /** Have the search in the address: it is no secret, and can be shared. */
  #remember(text: string, query?: Query): void {
    const asked = new URLSearchParams({ ...(text && { q: text }), ...(query?.matchCase && { case: "1" }), ...(query?.regex && { regex: "1" }) });
    const search = text ? `?${asked}` : "";
    if (search !== location.search) history.replaceState(history.state, "", location.pathname + search + location.hash);
  }

  #hop(down: boolean): void {
    const lines = this.view.lines;
    const line = this.search.hop(down, (down ? lines[0] : lines.at(-1)) ?? 1);
    if (line !== null) this.view.toLine(line);
    else if (!this.search.active) this.#openSearch(true);
  }

  async #hopError(down: boolean): Promise<void> {
    const lines = this.view.coming;
    const last = lines.find((line) => line === this.#error);
    const line = down ? (last ? last + 1 : lines[0]) : (last ?? (lines.at(-1) ?? 0) + 1);
    try {
      const from = await this.log.offsetOf(line ?? 1);
      const asked = { q: ERRORS, regex: "1", dir: down ? "forward" : "back", from: String(from), limit: "1" };
      for await (const event of this.api.search(asked, new AbortController().signal)) {
        if (!event.line) continue;
        this.#error = event.line;
        this.view.marked = { from: this.#error, to: this.#error };
        history.replaceState(history.state, "", fragment.write(this.view.marked));
        return this.view.toLine(this.#error);
      }
      this.tell(down ? "No error below" : "No error above");
    } catch {
      this.tell("The search broke off");
    }
  }

  #error: number | null = null;

  // Copying

  async #copyLink(): Promise<void> {
    const url = new URL(location.href);
    if (!this.view.marked && this.log.store.numbered && !this.view.following) url.hash = `L${this.#middle}`;
    const done = await copy(Promise.resolve(url.href));
    this.tell(done ? "Link copied" : url.href);
  }

  async copyLines(raw: boolean): Promise<void> {
    const { marked } = this.view;
    if (marked) await this.#copyRange(marked, (bytes) => (raw ? new TextDecoder().decode(bytes) : plain(bytes)));
  }

  async #copyRange(lines: fragment.Lines, text: (bytes: Uint8Array) => string): Promise<void> {
    try {
      const to = Math.min(lines.to, this.log.store.last);
      const [start, stop] = await this.view.range({ from: lines.from, to });
      const whole = () => this.log.bytes(start, stop).then(text);
      const save = () => void whole().then((ready) => download(this.fileName, ready), () => this.tell("The log could not be read"));
      if (stop - start > MUCH) return this.tell("That is a lot of text:", "Download it", save);
      if (await copy(whole())) this.tell(`Copied ${chrome.count(to - lines.from + 1)} ${to === lines.from ? "line" : "lines"}`);
      else this.tell("The browser lets no page copy here:", "Download it", save);
    } catch {
      this.tell("The log could not be read");
    }
  }

  /** Copy what is selected, of which only some may be on the page. */
  #copied(event: ClipboardEvent): void {
    const { selection } = this.view;
    if (!selection || (event.target as Element | null)?.closest?.("input")) return;
    const { from, to } = selection;
    const shown = this.view.lines;
    if (shown.includes(from.line) && shown.includes(to.line)) return this.#copyShown(event, from, to);
    event.preventDefault();
    void this.#copyRange({ from: from.line, to: to.line }, (bytes) => plain(bytes, from.column, to.column));
  }

  #copyShown(event: ClipboardEvent, from: { line: number; column: number }, to: { line: number; column: number }): void {
    const texts = this.view.texts(from.line, to.line);
    texts[texts.length - 1] = texts.at(-1)!.slice(0, to.column);
    texts[0] = texts[0]!.slice(from.column);
    event.clipboardData?.setData("text/plain", texts.join("\n"));
    event.preventDefault();
  }

  #forget: ReturnType<typeof setTimeout> | undefined;

  tell(text: string, label?: string, act?: () => void): void {
    clearTimeout(this.#forget);
    const done = () => {
      this.notice = null;
      this.#schedule();
    };
    this.notice = label && act ? { text, label, act: () => (act(), done()) } : { text };
    this.#forget = setTimeout(done, act ? 15000 : 3000);
    this.#schedule();
  }
}

new App();
