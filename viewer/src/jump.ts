/** The way back from a line that was asked for. */

import type { Address } from "./address.js";
import type { Finder } from "./finder.js";
import type { Query } from "./search.js";
import type { Place, View } from "./view.js";

export class Jump {
  /** Where one was before the first line, and with which search; null: nowhere else. */
  #left: { readonly place: Place; readonly query: Query | null } | null = null;

  constructor(
    private readonly view: View,
    private readonly address: Address,
    private readonly finder: () => Finder | null,
  ) {}

  get #query(): Query | null {
    const finder = this.finder();
    return finder?.isOpen ? finder.search.query : null;
  }

  /** The view is about to go to a line. */
  go(): void {
    this.#left ??= { place: this.view.place, query: this.#query };
  }

  /** There is no way back any more. */
  stay(): void {
    this.#left = null;
  }

  /** Go back, unless a search has begun since, or ended. Returns whether that was done. */
  back(): boolean {
    const left = this.#left;
    if (!left || !left.query !== !this.#query) return false;
    this.#left = null;
    this.address.mark(null);
    if (left.query) this.finder()!.find(left.query, true);
    this.view.restore(left.place);
    return true;
  }
}
