/** Notes to the user: one at a time, for a few seconds; longer if there is something to press in it. */

export interface Notice {
  readonly text: string;
  readonly label?: string;
  readonly act?: () => void;
}

const [SHORT, LONG] = [3000, 15000];

export class Notices {
  current: Notice | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly redraw: () => void) {}

  /** Show a note, in place of the one before. `label` and `act`: a button in it. */
  tell(text: string, label?: string, act?: () => void): void {
    clearTimeout(this.#timer);
    const done = () => {
      this.current = null;
      this.redraw();
    };
    this.current = label && act ? { text, label, act: () => (act(), done()) } : { text };
    this.#timer = setTimeout(done, act ? LONG : SHORT);
    this.redraw();
  }
}
