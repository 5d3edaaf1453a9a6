/** The panel that lists problems: of ten thousand, those that are visible are on the page. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import type { Problem } from "./api.js";
import { icon } from "./icons.js";
import { element } from "./dom.js";
import { inWords, LEVELS, placeOf } from "./problemlist.js";
import { type Listing, type Problems, sign, TONES } from "./problems.js";
import { count } from "./state.js";

/** Rows above and below the visible ones. */
const MORE = 5;
const NONE = { error: 0, warning: 0, notice: 0 };

export class Panel implements Listing {
  isOpen = false;
  readonly #panel = document.createElement("section");
  /** The problem that is chosen: its first line. */
  #chosen: number | null = null;

  constructor(private readonly problems: Problems) {
    this.#panel.id = "problems";
    this.#panel.setAttribute("aria-label", "Problems");
    this.#panel.addEventListener("keydown", (event) => this.#key(event));
  }

  open(): void {
    this.isOpen = true;
    if (!this.#panel.isConnected) element("main").after(this.#panel);
    this.#panel.hidden = false;
    this.show();
    this.reveal();
    this.#list.focus();
    const { current, view } = this.problems;
    // The window on the log has become smaller.
    if (current !== null && view.lines.includes(current)) requestAnimationFrame(() => view.toLine(current));
    this.problems.redraw();
  }

  close(): void {
    this.isOpen = false;
    this.#panel.hidden = true;
    element("surface").focus();
    this.problems.redraw();
  }

  get #list(): HTMLElement {
    return this.#panel.querySelector<HTMLElement>(".list")!;
  }

  /** Pixels of a row, as the style has it. */
  get #height(): number {
    return matchMedia("(max-width: 760px)").matches ? 56 : 28;
  }

  get #shown(): readonly Problem[] {
    return this.problems.list.of(this.problems.levels);
  }

  /** Show the list as it is now. */
  show(): void {
    if (this.isOpen) render(this.#template(), this.#panel);
  }

  #template(): TemplateResult {
    const { problems } = this;
    const { list, levels, progress } = problems;
    const shown = this.#shown;
    const place = this.#panel.querySelector(".list");
    const height = this.#height;
    const first = Math.max(0, Math.floor((place?.scrollTop ?? 0) / height) - MORE);
    const last = Math.min(shown.length, first + Math.ceil((place?.clientHeight ?? 0) / height) + 2 * MORE);
    const places = Array.from({ length: Math.max(0, last - first) }, (_, at) => first + at);
    const chosen = shown.findIndex(({ line }) => line === this.#chosen);
    if (chosen >= 0 && !places.includes(chosen)) places.push(chosen); // what has the focus is there
    const kept = LEVELS.reduce((sum, level) => sum + (levels.includes(level) ? list.counts[level] : 0), 0);
    const note = progress < 1 && problems.view.geometry.last > 0 ? `${Math.floor(progress * 100)} % of the log looked through` : kept > shown.length ? `the first ${count(shown.length)} of ${count(kept)}` : "";
    return html`<div class="bar">${LEVELS.map((level) => html`<button class=${TONES[level]} aria-label=${inWords({ ...NONE, [level]: list.counts[level] }) || `0 ${level}s`} aria-pressed=${levels.includes(level)} @click=${() => {
        problems.toggle(level);
        this.show();
      }}>${sign(level)}${count(list.counts[level])}<span class="word"> ${level}${list.counts[level] === 1 ? "" : "s"}</span></button>`)}
      <span class="note">${note}</span><button class="square" aria-label="Close the problems" title="Close" @click=${() => this.close()}>${icon("close")}</button></div>
      <div class="list" role="listbox" tabindex="0" aria-label="Problems" aria-activedescendant=${chosen >= 0 ? `problem-${this.#chosen}` : nothing} @scroll=${() => this.show()}
        ><div class="room" role="presentation" .style=${`height: ${shown.length * height}px`}>${places.map((at) => this.#row(shown, at))}</div
        >${shown.length ? nothing : html`<p>${kept ? "Switch a level on to see its problems." : progress < 1 ? "None so far." : "None."}</p>`}</div>`;
  }

  #row(shown: readonly Problem[], at: number): TemplateResult {
    const problem = shown[at]!;
    const { line, level, message } = problem;
    return html`<div id=${`problem-${line}`} class="problem" role="option" aria-selected=${line === this.#chosen} aria-setsize=${shown.length} aria-posinset=${at + 1}
      .style=${`top: ${at * this.#height}px`} @click=${() => this.#choose(at)}><span class=${TONES[level]} title=${level}>${sign(level)}</span><span class="number"
      ><span class="for-ears">${level}, line </span>${count(line)}</span><span class="message">${message}</span><span class="where">${[this.problems.groupOf(line), placeOf(problem)].filter(Boolean).join(" · ")}</span></div>`;
  }

  /** Bring the problem that was gone to into view. */
  reveal(): void {
    if (!this.isOpen) return;
    this.#chosen = this.problems.current ?? this.#chosen;
    const at = this.#shown.findIndex(({ line }) => line === this.#chosen);
    const list = this.#list;
    const top = at * this.#height;
    if (at >= 0 && (top < list.scrollTop || top + this.#height > list.scrollTop + list.clientHeight)) list.scrollTop = top - list.clientHeight / 2;
    this.show();
  }

  #choose(at: number): void {
    const shown = this.#shown;
    const problem = shown[Math.max(0, Math.min(at, shown.length - 1))];
    if (!problem) return;
    this.#chosen = problem.line;
    this.problems.go(problem);
  }

  #key(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const isInList = (event.target as Element).closest(".list") !== null;
    const at = this.#shown.findIndex(({ line }) => line === this.#chosen);
    const page = Math.max(1, Math.floor(this.#list.clientHeight / this.#height) - 1);
    const places: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, j: at + 1, k: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: Infinity };
    const to = isInList ? places[event.key] : undefined;
    if (to !== undefined) this.#choose(to);
    else if (event.key === "Escape") this.close();
    else if (isInList && event.key === "Enter") {
      if (at >= 0) this.#choose(at);
      element("surface").focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
