/** The bar beside the log: where the view is, where hits and marked lines are, and a thumb to drag. */

import { element } from "./dom.js";
import type { Log } from "./log.js";
import * as scroller from "./scroller.js";
import type { View } from "./view.js";

export class Bar {
  readonly #bar = element("bar");
  readonly #thumb = element("thumb");
  readonly #canvas = element("marks") as HTMLCanvasElement;
  #drawn = "";

  constructor(
    private readonly log: Log,
    private readonly view: View,
    private readonly hits: () => readonly number[],
  ) {
    this.#listen();
  }

  show(dark: boolean): void {
    const lines = this.view.geometry;
    const { top, height } = scroller.thumb(lines, this.view.anchor, this.#bar.clientHeight);
    this.#thumb.style.top = `${top * 100}%`;
    this.#thumb.style.height = `${height * 100}%`;
    this.#thumb.hidden = !this.log.store.numbered || height >= 1;
    this.#bar.setAttribute("aria-valuenow", String(Math.round(scroller.ratio(lines, this.view.anchor) * 100)));
    this.#marks(dark);
  }

  /** Where in the log hits and marked lines are. */
  #marks(dark: boolean): void {
    const canvas = this.#canvas;
    const hits = this.hits();
    const { marked } = this.view;
    const { last } = this.log.store;
    const { clientWidth: width, clientHeight: height } = canvas;
    const key = [hits.length, hits[0], marked?.from, marked?.to, last, width, height, dark].join();
    if (key === this.#drawn) return;
    this.#drawn = key;
    [canvas.width, canvas.height] = [width, height];
    const pen = canvas.getContext("2d")!;
    pen.fillStyle = dark ? "#e3b341" : "#b07a00";
    for (const line of hits) pen.fillRect(2, Math.floor(((line - 1) / last) * (height - 2)), width - 4, 2);
    pen.fillStyle = dark ? "#8ab4ff" : "#1d4fd7";
    if (marked) pen.fillRect(0, ((marked.from - 1) / last) * (height - 3), width, Math.max(3, ((marked.to - marked.from) / last) * height));
  }

  #listen(): void {
    const bar = this.#bar;
    let grip = 0;
    const to = (event: PointerEvent) => {
      const { top, height } = bar.getBoundingClientRect();
      const thumb = this.#thumb.getBoundingClientRect().height;
      this.view.toRatio((event.clientY - top - grip) / Math.max(1, height - thumb));
    };
    bar.addEventListener("pointerdown", (event) => {
      if (!this.log.store.numbered) return;
      const thumb = this.#thumb.getBoundingClientRect();
      const inside = event.clientY >= thumb.top && event.clientY <= thumb.bottom;
      grip = inside ? event.clientY - thumb.top : thumb.height / 2;
      bar.setPointerCapture(event.pointerId);
      if (!inside) to(event);
    });
    bar.addEventListener("pointermove", (event) => bar.hasPointerCapture(event.pointerId) && to(event));
    bar.addEventListener("wheel", (event) => this.view.by(event.deltaY), { passive: true });
  }
}
