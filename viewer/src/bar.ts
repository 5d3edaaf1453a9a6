/** The bar beside the log: where the view is, and a thumb to drag. */

import { element } from "./dom.js";
import type { Log } from "./log.js";
import * as scroller from "./scroller.js";
import type { View } from "./view.js";

export class Bar {
  readonly #bar = element("bar");
  readonly #thumb = element("thumb");

  constructor(
    private readonly log: Log,
    private readonly view: View,
  ) {
    this.#listen();
  }

  show(): void {
    const lines = this.view.geometry;
    const { top, height } = scroller.thumb(lines, this.view.anchor, this.#bar.clientHeight);
    this.#thumb.style.top = `${top * 100}%`;
    this.#thumb.style.height = `${height * 100}%`;
    this.#thumb.hidden = !this.log.store.numbered || height >= 1;
    this.#bar.setAttribute("aria-valuenow", String(Math.round(scroller.ratio(lines, this.view.anchor) * 100)));
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
