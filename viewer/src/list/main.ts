/** The list of logs: its parts, put together; when it is drawn; what keys and clicks do. */

import { render, type TemplateResult } from "lit-html";
import { Api, reasonOf } from "../api.js";
import { element } from "../dom.js";
import { Notices } from "../notices.js";
import { AROUND, ORDER } from "../order.js";
import { change, load, nextTheme, type Settings } from "../settings.js";
import { folderOf, type Form, write as writeSeveral } from "../several/address.js";
import * as chrome from "./chrome.js";
import { ALL, choose, type Chosen, type Filter, isFiltering, labelsOf, read, write } from "./filter.js";
import { stateOf } from "./connection.js";
import { type Action, action } from "./keys.js";
import { type Log, Logs } from "./logs.js";
import { isOfLog, Naming } from "./naming.js";
import { Table } from "./table.js";
import { type Connection, Watch } from "./watch.js";

/** Logs that are opened at once, at most: more tabs are nobody's wish. */
const MOST_TABS = 20;
/** Milliseconds after which an order that depends on what grows is made anew. */
const REORDER = 1000;
/** Milliseconds after which screen readers are told what a filter leaves; and after which what is typed is in the address. */
const [SAID, WRITTEN] = [700, 200];
/** Labels that are offered, at most; and milliseconds after which they are counted anew. */
const [OFFERED, RECOUNT] = [200, 1000];

/** What the browser keeps of an entry in the history. */
interface Entry {
  readonly active?: string | null;
  readonly top?: string | null;
  readonly above?: number;
}

class App implements chrome.Page {
  #frame = 0;
  readonly #redraw = () => this.#schedule();
  readonly settings: Settings = load();
  readonly logs = new Logs();
  readonly notices = new Notices(this.#redraw);
  filter: Filter = read(location.search);
  selected: ReadonlySet<string> = new Set();
  readonly #api = new Api(location.pathname);
  readonly naming = new Naming(this.#api, () => this.#remember());
  readonly #watch = new Watch(this.#api, this.naming, this.logs, this.#redraw);
  readonly #table = new Table({ address: (name) => this.naming.address(name), isSelected: (generation) => this.selected.has(generation) }, this.#redraw);
  readonly #templates = new Map<string, () => unknown>([
    ["head", () => chrome.head(this)],
    ["filter", () => chrome.filterBar(this)],
    ["columns", () => chrome.columns(this)],
    ["float", () => chrome.float(this)],
    ["card", () => chrome.card(this)],
    ["help", () => chrome.help(this)],
  ]);
  /** What is shown, and what it was made of. */
  #chosen: Chosen = choose([], ALL, 0);
  #made: { changes: number; filter: Filter | null; time: number } = { changes: -1, filter: null, time: 0 };
  /** Where one was when the page was left, until the rows are there. */
  #entry = history.state as Entry | null;
  /** Where a selection by Shift begins. */
  #from: Log | null = null;
  #said: ReturnType<typeof setTimeout> | undefined;
  #written: ReturnType<typeof setTimeout> | undefined;
  #offered: { labels: [string, number][]; changes: number; time: number } = { labels: [], changes: -1, time: 0 };

  constructor() {
    this.#takeToken();
    this.#listen();
    this.#table.focus();
    void this.#watch.run();
    this.#schedule();
  }

  // What is shown

  get connection(): Connection {
    return this.#watch.connection;
  }

  get isFetching(): boolean {
    return this.#watch.isFetching;
  }

  get counts(): Chosen["counts"] {
    return this.#chosen.counts;
  }

  get offered(): [string, number][] {
    const { changes, all } = this.logs;
    const now = Date.now();
    if (this.#offered.changes !== changes && now - this.#offered.time >= RECOUNT) this.#offered = { labels: labelsOf(all, OFFERED), changes, time: now };
    return this.#offered.labels;
  }

  get shown(): number {
    return this.#chosen.logs.length;
  }

  get token(): string | null {
    return this.#api.token;
  }

  get meant(): string | null {
    const { segment } = this.naming;
    return isOfLog(segment) ? location.pathname.replace(/\/+$/, "") : null;
  }

  #schedule(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#show();
    });
  }

  #show(): void {
    const now = Date.now();
    this.#choose(now);
    const bar = element("filter");
    bar.hidden = !this.logs.all.length && !isFiltering(this.filter);
    for (const [id, template] of this.#templates) {
      const place = element(id);
      if (place instanceof HTMLDialogElement ? place.open : !place.hidden) render(template() as TemplateResult, place);
    }
    const words = document.getElementById("words") as HTMLInputElement | null;
    if (words && words !== document.activeElement && words.value !== this.filter.text) words.value = this.filter.text;
    this.#arrive();
    this.#table.show(this.#chosen.logs, now);
    const title = `${chrome.titleOf(this)} – ${stateOf(this.connection).text}`.replace(/ in \d+ s$/, "");
    if (document.title !== title) document.title = title;
  }

  /** Filter and sort, if there is a reason to. */
  #choose(now: number): void {
    const { changes } = this.logs;
    const moves = ["took", "size", "readers"].includes(this.filter.sort) && now - this.#made.time >= REORDER;
    if (this.#made.changes === changes && this.#made.filter === this.filter && !moves) return;
    this.#chosen = choose(this.logs.all, this.filter, now);
    this.#made = { changes, filter: this.filter, time: now };
    const kept = [...this.selected].filter((generation) => this.logs.get(generation));
    if (kept.length < this.selected.size) this.selected = new Set(kept);
  }

  /** Go where one was when one left, once all rows are there. */
  #arrive(): void {
    if (!this.#entry || !this.logs.listed) return;
    const { active, top, above } = this.#entry;
    this.#entry = null;
    this.#table.restore((active && this.logs.get(active)) || null, (top && this.logs.get(top)) || null, above ?? 0);
  }

  /** Have the filter and the place in the address and in the history, and no token that opens nothing. */
  #remember(): void {
    history.replaceState(this.#table?.state ?? null, "", this.naming.page + write(this.filter));
  }

  /** A token in the fragment is for this page, and not for whoever looks at the address. */
  #takeToken(): void {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (token === null) return;
    this.#api.keep(token);
    history.replaceState(history.state, "", location.pathname + location.search);
  }

  // What the user does

  choose(change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change };
    this.#table.toStart();
    clearTimeout(this.#written);
    // Browsers take little more than three addresses in a second.
    if (change.text) this.#written = setTimeout(() => this.#remember(), WRITTEN);
    else this.#remember();
    this.#schedule();
    clearTimeout(this.#said);
    this.#said = setTimeout(() => (element("said").textContent = chrome.facts(this)), SAID);
  }

  showAll(): void {
    const { sort, turned } = this.filter;
    (document.getElementById("words") as HTMLInputElement).value = "";
    this.choose({ ...ALL, sort, turned });
    this.#table.focus();
  }

  selectNone(): void {
    this.selected = new Set();
    this.#schedule();
  }

  selectAll(): void {
    this.selected = new Set(this.#chosen.logs.map((log) => log.generation));
    this.#schedule();
  }

  #toggle(log: Log, upTo = false): void {
    const selected = new Set(this.selected);
    const { logs } = this.#chosen;
    const on = !selected.has(log.generation);
    const [one, other] = [logs.indexOf(log), this.#from && upTo ? logs.indexOf(this.#from) : -1];
    const some = other < 0 ? [log] : logs.slice(Math.min(one, other), Math.max(one, other) + 1);
    for (const { generation } of some) on ? selected.add(generation) : selected.delete(generation);
    this.#from = log;
    this.selected = selected;
    this.#schedule();
  }

  /** The selected logs in the order of the list; without any, the active one. */
  get #meant(): Log[] {
    const { all } = this.logs;
    const some = this.#chosen.logs.filter((log) => this.selected.has(log.generation));
    const others = some.length < this.selected.size ? all.filter((log) => this.selected.has(log.generation) && !some.includes(log)) : [];
    return this.selected.size ? [...some, ...others] : this.#table.active ? [this.#table.active] : [];
  }

  /** Open logs, each in a tab of its own; a tab gets the token that was typed in here. */
  open(): void {
    const logs = this.#meant;
    if (logs.length > MOST_TABS) return this.notices.tell(`Select at most ${MOST_TABS} logs to open them`);
    this.#keepOrder();
    const opened = logs.filter((log) => window.open(this.naming.address(log.status.name)));
    const left = logs.length - opened.length;
    if (left) this.notices.tell(`The browser has opened ${opened.length} of ${chrome.logsIn(logs.length)}: allow this site to open tabs, or open the others one by one`);
  }

  several(form: Form): void {
    const names = this.#meant.map((log) => log.status.name);
    const folder = folderOf(names);
    this.#leave(`${this.naming.address(folder.slice(0, -1))}/${writeSeveral({ names, form })}`);
  }

  copy(): void {
    const logs = this.#meant;
    if (!logs.length) return;
    const links = logs.map((log) => new URL(this.naming.address(log.status.name), location.href).href).join("\n");
    navigator.clipboard.writeText(links).then(
      () => this.notices.tell(logs.length === 1 ? "Link copied" : `${logs.length} links copied`),
      () => this.notices.tell("The browser does not let this page copy"),
    );
  }

  unlock(event: Event): void {
    const token = this.#typed(event, "token");
    if (!token) return;
    this.naming.unlock(token);
    this.#watch.retry();
  }

  name(event: Event): void {
    const name = this.#typed(event, "name").replace(/^\/+/, "");
    if (!name) return;
    if (isOfLog(this.#api.token!)) return location.assign(this.naming.address(name.replace(/\/+$/, "")));
    this.#api.path = `${name.replace(/\/+$/, "")}/`;
    this.#remember();
    this.#watch.retry();
  }

  #typed(event: Event, name: string): string {
    event.preventDefault();
    const field = (event.target as HTMLFormElement).elements.namedItem(name) as HTMLInputElement;
    const text = field.value.trim();
    field.value = "";
    return text;
  }

  retry(): void {
    this.#watch.retry();
  }

  older(): void {
    void this.#watch.older().catch((error) => this.notices.tell(reasonOf(error)));
  }

  help(): void {
    const dialog = element("help") as HTMLDialogElement;
    render(chrome.help(this), dialog);
    dialog.showModal();
  }

  set(some: Partial<Settings>): void {
    change(this.settings, some);
    this.#schedule();
  }

  changeTheme(): void {
    this.set({ theme: nextTheme(this.settings) });
  }

  readonly #acts: Record<Action, () => unknown> = {
    down: () => this.#table.step(1),
    up: () => this.#table.step(-1),
    pageDown: () => this.#table.step(this.#table.page),
    pageUp: () => this.#table.step(-this.#table.page),
    top: () => this.#table.toIndex(0),
    end: () => this.#table.toIndex(Infinity),
    open: () => this.#table.active && this.#leave(this.naming.address(this.#table.active.status.name)),
    openTab: () => this.open(),
    select: () => this.#table.active && this.#toggle(this.#table.active),
    selectAll: () => this.selectAll(),
    filter: () => {
      const words = document.getElementById("words") as HTMLInputElement | null;
      words?.focus();
      words?.select();
    },
    copy: () => this.copy(),
    leave: () => (this.selected.size ? this.selectNone() : isFiltering(this.filter) && this.showAll()),
    help: () => this.help(),
  };

  /** Have the pages of logs that are opened from here know what is beside them. */
  #keepOrder(): void {
    const { logs } = this.#chosen;
    const at = Math.max(0, this.#table.active ? logs.indexOf(this.#table.active) : 0);
    try {
      sessionStorage.setItem(ORDER, JSON.stringify(logs.slice(Math.max(0, at - AROUND), at + AROUND).map((log) => log.status.name)));
    } catch {
      // then they ask the server
    }
  }

  #leave(address: string): void {
    this.#remember();
    this.#keepOrder();
    location.assign(address);
  }

  /** Keys in the field of the filter. */
  key(event: KeyboardEvent): void {
    if (event.isComposing || !["Enter", "ArrowDown", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Escape" && this.filter.text) {
      (event.target as HTMLInputElement).value = "";
      return this.choose({ text: "" });
    }
    this.#table.focus();
    if (event.key !== "Escape") this.#table.toIndex(0);
  }

  #listen(): void {
    setInterval(this.#redraw, 1000); // ages and countdowns
    document.addEventListener("keydown", (event) => this.#key(event));
    element("list").addEventListener("click", (event) => this.#clicked(event));
    element("list").addEventListener("auxclick", (event) => event.button === 1 && this.#followed(event));
    addEventListener("pagehide", () => this.#remember());
    addEventListener("popstate", () => {
      this.filter = read(location.search);
      this.#takeToken();
      this.#schedule();
    });
  }

  #key(event: KeyboardEvent): void {
    const target = event.target as Element;
    if (target.closest("input[type=text], input[type=password], select, dialog")) return;
    const what = action(event, this.settings.letters);
    if (!what) return;
    if (/^( |Enter)$/.test(event.key) && target.closest("button, a")) return;
    event.preventDefault();
    this.#acts[what]();
  }

  #clicked(event: MouseEvent): void {
    const target = event.target as HTMLElement;
    const log = this.#table.logOf(target);
    if (!log) return;
    this.#table.active = log;
    const label = target.closest<HTMLElement>(".label")?.dataset["label"];
    if (label !== undefined) {
      if (!this.filter.labels.includes(label)) this.choose({ labels: [...this.filter.labels, label] });
    } else if (target.closest(".pick")) {
      if (!(target instanceof HTMLInputElement)) event.preventDefault();
      this.#toggle(log, event.shiftKey);
    } else if (event.ctrlKey || event.metaKey) this.#followed(event);
    else this.#remember();
    if (target.closest("a")) this.#keepOrder();
    this.#schedule();
  }

  /** A link is opened in another tab, which has to have the token that was typed in here. */
  #followed(event: MouseEvent): void {
    const link = (event.target as Element).closest("a");
    if (!link || this.naming.inPath) return;
    event.preventDefault();
    window.open(link.href);
  }
}

new App();
