/** A panel below the log, with a list of lines of it: of ten thousand entries, those that are visible are on the page. One panel is open at a time. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { element } from "./dom.js";
import { icon } from "./icons.js";

/** Rows above and below the visible ones. */
const MORE = 5;

/** Where the lines are that are listed. */
export interface Ground {
  readonly surface: HTMLElement;
  /** Those that are visible. */
  readonly lines: readonly number[];
  toLine(line: number): void;
}

let current: { show(): void; close(): void } | null = null;

/** The panel that is open. */
export const opened = () => current;

export abstract class ListPanel<Entry extends { readonly line: number }> {
  isOpen = false;
  readonly #panel = document.createElement("section");
  /** The entry that is chosen: its key. */
  chosen: number | null = null;

  constructor(
    private readonly label: string,
    readonly view: Ground,
    readonly redraw: () => void,
  ) {
    this.#panel.id = label.toLowerCase().replaceAll(" ", "-");
    this.#panel.className = "panel";
    this.#panel.setAttribute("aria-label", label);
    this.#panel.addEventListener("keydown", (event) => this.#key(event));
  }

  /** What is listed. */
  abstract get entries(): readonly Entry[];
  /** What is in the bar above the list, in front of the button that closes it. */
  abstract bar(): TemplateResult;
  /** What is said where nothing is listed. */
  abstract empty(): string;
  /** What is shown of an entry. */
  abstract cells(entry: Entry): TemplateResult;
  /** Go to the line of an entry. */
  abstract visit(entry: Entry): void;

  /** A number that is an entry's own: that of its line. */
  key({ line }: Entry): number {
    return line;
  }

  open(): void {
    if (current !== this) current?.close();
    current = this;
    this.isOpen = true;
    if (!this.#panel.isConnected) element("main").after(this.#panel);
    this.#panel.hidden = false;
    this.show();
    this.reveal();
    this.#list.focus();
    const { chosen, view } = this;
    // The window on the log has become smaller.
    if (chosen !== null && view.lines.includes(chosen)) requestAnimationFrame(() => view.toLine(chosen));
    this.redraw();
  }

  close(): void {
    current = null;
    this.isOpen = false;
    this.#panel.hidden = true;
    this.view.surface.focus();
    this.redraw();
  }

  toggle(): void {
    if (this.isOpen) this.close();
    else this.open();
  }

  get #list(): HTMLElement {
    return this.#panel.querySelector<HTMLElement>(".list")!;
  }

  /** Pixels of a row, as the style has it. */
  get #height(): number {
    return matchMedia("(max-width: 760px)").matches ? 56 : 28;
  }

  /** Show the list as it is now. */
  show(): void {
    if (this.isOpen) render(this.#template(), this.#panel);
  }

  #template(): TemplateResult {
    const { entries, label } = this;
    const place = this.#panel.querySelector(".list");
    const height = this.#height;
    const first = Math.max(0, Math.floor((place?.scrollTop ?? 0) / height) - MORE);
    const last = Math.min(entries.length, first + Math.ceil((place?.clientHeight ?? 0) / height) + 2 * MORE);
    const places = Array.from({ length: Math.max(0, last - first) }, (_, at) => first + at);
    const chosen = this.#at(entries);
    if (chosen >= 0 && !places.includes(chosen)) places.push(chosen); // what has the focus is there
    return html`<div class="bar">${this.bar()}<button class="square" aria-label=${`Close the ${label.toLowerCase()}`} title="Close" @click=${() => this.close()}>${icon("close")}</button></div>
      <div class="list" role=${entries.length ? "listbox" : "group"} tabindex="0" aria-label=${label} aria-activedescendant=${chosen >= 0 ? this.#id(this.chosen!) : nothing} @scroll=${() => this.show()}
        ><div class="room" role="presentation" .style=${`height: ${entries.length * height}px`}>${places.map((at) => this.#row(entries, at))}</div
        >${entries.length ? nothing : html`<p>${this.empty()}</p>`}</div>`;
  }

  #row(entries: readonly Entry[], at: number): TemplateResult {
    const entry = entries[at]!;
    const key = this.key(entry);
    return html`<div id=${this.#id(key)} class="entry" role="option" aria-selected=${key === this.chosen} aria-setsize=${entries.length} aria-posinset=${at + 1}
      .style=${`top: ${at * this.#height}px`} @click=${() => this.#choose(at)}>${this.cells(entry)}</div>`;
  }

  #id(key: number): string {
    return `${this.#panel.id}-${key}`;
  }

  /** The place of the chosen entry; -1: there is none. */
  #at(entries: readonly Entry[]): number {
    return entries.findIndex((entry) => this.key(entry) === this.chosen);
  }

  /** Bring the chosen entry into view. */
  reveal(): void {
    if (!this.isOpen) return;
    const at = this.#at(this.entries);
    const list = this.#list;
    const top = at * this.#height;
    if (at >= 0 && (top < list.scrollTop || top + this.#height > list.scrollTop + list.clientHeight)) list.scrollTop = top - list.clientHeight / 2;
    this.show();
  }

  #choose(at: number): void {
    const { entries } = this;
    const entry = entries[Math.max(0, Math.min(at, entries.length - 1))];
    if (!entry) return;
    this.chosen = this.key(entry);
    this.visit(entry);
    this.reveal();
  }

  #key(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const isInList = (event.target as Element).closest(".list") !== null;
    const at = this.#at(this.entries);
    const page = Math.max(1, Math.floor(this.#list.clientHeight / this.#height) - 1);
    const places: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, j: at + 1, k: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: Infinity };
    const to = isInList ? places[event.key] : undefined;
    if (to !== undefined) this.#choose(to);
    else if (event.key === "Escape") this.close();
    else if (isInList && event.key === "Enter") {
      if (at >= 0) this.#choose(at);
      this.view.surface.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
