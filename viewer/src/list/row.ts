/** One log as a row. It is made once, and used for one log after the other: only what is another is changed. */

import { ICONS } from "../icons.js";
import { bytes, duration } from "../rows.js";
import type { Log } from "./logs.js";
import { SIGNS, TONES, words } from "./signs.js";

const SVG = "http://www.w3.org/2000/svg";
/** Labels that a row has room for, at most. */
const MOST_LABELS = 6;
/** Characters of a title that are shown. */
const LONGEST = 500;

export interface Shown {
  readonly index: number;
  readonly isActive: boolean;
  readonly isSelected: boolean;
  readonly address: string;
  readonly now: number;
}

let made = 0;

function cell(className: string): HTMLElement {
  const made = document.createElement("span");
  made.className = className;
  made.setAttribute("role", "gridcell");
  return made;
}

export class Row {
  readonly element = document.createElement("div");
  readonly #pick = document.createElement("input");
  readonly #state = cell("kind");
  readonly #path = document.createElementNS(SVG, "path");
  readonly #words = document.createElement("span");
  readonly #link = document.createElement("a");
  readonly #more = document.createElement("span");
  readonly #name = document.createElement("span");
  readonly #labels = document.createElement("span");
  readonly #began = cell("began");
  readonly #took = cell("took");
  readonly #size = cell("size");
  readonly #readers = cell("readers");
  readonly #known = new Map<string, string>();

  constructor() {
    const { element } = this;
    element.id = `row${made++}`;
    element.className = "log";
    element.setAttribute("role", "row");
    const pick = cell("pick");
    this.#pick.type = "checkbox";
    this.#pick.tabIndex = -1;
    pick.append(this.#pick);
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    svg.append(this.#path);
    this.#state.append(svg, this.#words);
    const what = cell("what");
    this.#link.className = "title";
    this.#link.tabIndex = -1;
    this.#link.dir = "auto";
    this.#more.className = "sub";
    this.#name.className = "name";
    this.#labels.className = "labels";
    this.#more.append(this.#name, this.#labels);
    what.append(this.#link, this.#more);
    element.append(pick, this.#state, what, this.#began, this.#took, this.#size, this.#readers);
  }

  show(log: Log, shown: Shown): void {
    const { element } = this;
    const { status } = log;
    const name = status.name || "(without a name)";
    this.#set("index", String(shown.index + 2), (index) => (element.ariaRowIndex = index));
    this.#set("marks", `${shown.isActive} ${shown.isSelected}`, () => {
      element.classList.toggle("active", shown.isActive);
      element.ariaSelected = String(shown.isSelected);
      this.#pick.checked = shown.isSelected;
    });
    this.#set("pick", name, () => (this.#pick.ariaLabel = `Select ${name}`));
    this.#set("kind", log.kind, () => {
      this.#state.className = `kind ${TONES[log.kind]} ${log.kind}`;
      this.#path.setAttribute("d", ICONS[SIGNS[log.kind]]);
    });
    this.#set("words", words(log), (text) => (this.#words.textContent = text));
    this.#set("reason", status.reason || "", (text) => (this.#state.title = text));
    this.#set("title", (status.title || name).slice(0, LONGEST), (text) => (this.#link.textContent = this.#link.title = text));
    this.#set("href", shown.address, (address) => (this.#link.href = address));
    const attempts = status.attempts > 1 ? `${status.attempts} attempts` : "";
    this.#set("name", [status.title ? name : "", attempts].filter(Boolean).join(" · "), (text) => (this.#name.textContent = text));
    this.#set("labels", log.labels.join("\n"), () => this.#label(log.labels));
    this.#set("more", String(Boolean(status.title || attempts || log.labels.length)), (more) => (this.#more.hidden = more === "false"));
    this.#set("ago", `${duration(Math.max(0, (shown.now - log.began) / 1000))} ago`, (text) => (this.#began.textContent = text));
    this.#set("began", status.began, () => (this.#began.title = new Date(log.began).toLocaleString("en-GB")));
    this.#set("took", duration(log.took(shown.now)), (text) => (this.#took.textContent = text));
    this.#set("size", bytes(status.size), (text) => (this.#size.textContent = text));
    const readers = status.readers || 0;
    this.#set("readers", String(readers), (text) => {
      this.#readers.textContent = readers ? text : "";
      this.#readers.title = `${text} ${readers === 1 ? "reader" : "readers"} now`;
    });
  }

  #label(labels: readonly string[]): void {
    const shown = labels.slice(0, MOST_LABELS).map((label) => {
      const button = document.createElement("button");
      button.className = "label";
      button.tabIndex = -1;
      button.textContent = label;
      button.title = `Only logs with ${label}`;
      button.dataset["label"] = label;
      return button;
    });
    this.#labels.replaceChildren(...shown, ...(labels.length > shown.length ? [`+${labels.length - shown.length}`] : []));
  }

  /** Do what sets something, if it has not been set to that. */
  #set(what: string, value: string, set: (value: string) => void): void {
    if (this.#known.get(what) === value) return;
    this.#known.set(what, value);
    set(value);
  }
}
