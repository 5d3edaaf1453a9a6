/** Buttons in lines: their words are the style's, not text of the log. */

import { button } from "./rows.js";

export function lineButton(name: string, text: string, label: string): HTMLElement {
  const element = button(name, text);
  element.setAttribute("aria-label", label);
  return element;
}
