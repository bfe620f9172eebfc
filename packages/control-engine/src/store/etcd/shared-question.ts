// One question for all who ask it at one time.

/** A question whose answer must be of after it was asked: those who come while one is under way share the next. */
export class SharedQuestion<Answer> {
  readonly #put: () => Promise<Answer>;
  #underWay: Promise<Answer> | undefined;
  #next: Promise<Answer> | undefined;

  constructor(put: () => Promise<Answer>) {
    this.#put = put;
  }

  /** The answer to a question that is put after the call. */
  ask(): Promise<Answer> {
    if (this.#underWay === undefined) {
      this.#underWay = this.#put().finally(() => (this.#underWay = undefined));
      return this.#underWay;
    }
    const again = (): Promise<Answer> => {
      this.#next = undefined;
      return this.ask();
    };
    this.#next ??= this.#underWay.then(again, again);
    return this.#next;
  }
}
