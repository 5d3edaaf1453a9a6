/** What moves the window on the log: the wheel, fingers, and the browser itself. */

import type { Geometry } from "./scroller.js";

/** What is moved. */
export interface Movable {
  readonly surface: HTMLElement;
  readonly geometry: Geometry;
  readonly following: boolean;
  /** Move by pixels; at the end, follow. */
  by(pixels: number): void;
}

export function moving(view: Movable): void {
  const { surface } = view;
  surface.addEventListener("wheel", (event) => wheel(view, event), { passive: false });
  // What the browser itself scrolls, to show what it has found or selected, is a movement like any other.
  surface.addEventListener("scroll", () => {
    const { scrollTop } = surface;
    if (scrollTop === 0) return;
    surface.scrollTop = 0;
    view.by(scrollTop);
  });
  fingers(view);
}

function wheel(view: Movable, event: WheelEvent): void {
  if (event.ctrlKey || Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) return;
  event.preventDefault();
  const { row, window } = view.geometry;
  view.by(event.deltaY * ([1, row, window][event.deltaMode] ?? 1));
}

function fingers(view: Movable): void {
  const { surface } = view;
  let last: { y: number; time: number } | null = null;
  let speed = 0;
  const glide = (before: number) => (now: number) => {
    if (last || Math.abs(speed) < 0.02) return;
    view.by(speed * (now - before));
    speed *= 0.998 ** (now - before);
    if (view.following) speed = 0;
    requestAnimationFrame(glide(now));
  };
  surface.addEventListener("touchstart", ({ touches, timeStamp }) => {
    last = touches.length === 1 ? { y: touches[0]!.clientY, time: timeStamp } : null;
    speed = 0;
  }, { passive: true });
  surface.addEventListener("touchmove", ({ touches, timeStamp }) => {
    const touch = touches[0];
    if (!last || !touch || !getSelection()?.isCollapsed) return;
    const moved = last.y - touch.clientY;
    speed = 0.7 * (moved / Math.max(1, timeStamp - last.time)) + 0.3 * speed;
    last = { y: touch.clientY, time: timeStamp };
    view.by(moved);
  }, { passive: true });
  surface.addEventListener("touchend", ({ timeStamp }) => {
    if (last && timeStamp - last.time > 80) speed = 0;
    last = null;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) speed = 0;
    requestAnimationFrame(glide(performance.now()));
  }, { passive: true });
}
