// A promise that is kept from outside.

/** Opens once, with a value; later calls do nothing. */
export class Latch<T> {
  readonly opened: Promise<T>;
  #resolve: (value: T) => void = () => {};
  #isOpen = false;

  constructor() {
    this.opened = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(value: T): void {
    this.#isOpen = true;
    this.#resolve(value);
  }
}
