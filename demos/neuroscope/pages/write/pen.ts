import { type ReadonlySignal, type Signal, signal } from "@preact/signals";

/** The longest step of time that one frame may make: after a pause of the tab the pen goes on where it was. */
const LONGEST_FRAME = 0.1;

/**
 * A pen that plays movements, each of its own duration. It never passes what there is, and waits there for more to come.
 */
export class Pen {
  readonly #position: Signal<number> = signal(0);
  readonly #isPlaying: Signal<boolean> = signal(false);
  #seconds: readonly number[] = [];
  #speed = 1;
  #isOpen = false;
  /** Whether it goes along with the end as more comes. */
  #isAtEnd = false;
  #frame = 0;
  #last = 0;

  /** How many movements it has made; a fraction is one that it is making. */
  get position(): ReadonlySignal<number> {
    return this.#position;
  }

  get isPlaying(): ReadonlySignal<boolean> {
    return this.#isPlaying;
  }

  /** Says what there is to play. @param about `isOpen` while more may come. */
  give(seconds: readonly number[], about: { readonly speed: number; readonly isOpen: boolean }): void {
    this.#seconds = seconds;
    this.#speed = about.speed;
    this.#isOpen = about.isOpen;
    if (this.#isAtEnd || this.#position.peek() > seconds.length) this.#position.value = seconds.length;
  }

  /** Plays on, from the start where it is at the end. Without motion it is at the end at once, and stays there while more comes. */
  play(options: { readonly withoutMotion?: boolean } = {}): void {
    if (options.withoutMotion) {
      this.pause();
      this.#isAtEnd = true;
      this.#position.value = this.#seconds.length;
      return;
    }
    if (this.#position.peek() >= this.#seconds.length && !this.#isOpen) this.#position.value = 0;
    if (this.#isPlaying.peek()) return;
    this.#isPlaying.value = true;
    this.#last = performance.now();
    this.#frame = requestAnimationFrame((now) => this.#tick(now));
  }

  pause(): void {
    cancelAnimationFrame(this.#frame);
    this.#isPlaying.value = false;
    this.#isAtEnd = false;
  }

  /** Puts the pen somewhere. */
  moveTo(position: number): void {
    this.#isAtEnd = false;
    this.#position.value = Math.max(0, Math.min(position, this.#seconds.length));
  }

  #tick(now: number): void {
    let left = Math.min(LONGEST_FRAME, Math.max(0, (now - this.#last) / 1000)) * this.#speed;
    this.#last = now;
    let position = this.#position.peek();
    while (left > 0 && position < this.#seconds.length) {
      const duration = this.#seconds[Math.floor(position)]!;
      const rest = (Math.floor(position) + 1 - position) * duration;
      position = left < rest ? position + left / duration : Math.floor(position) + 1;
      left -= rest;
    }
    this.#position.value = position;
    if (position >= this.#seconds.length && !this.#isOpen) this.#isPlaying.value = false;
    else this.#frame = requestAnimationFrame((later) => this.#tick(later));
  }
}
