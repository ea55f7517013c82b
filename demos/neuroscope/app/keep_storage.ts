let asked: Promise<boolean> | undefined;

/**
 * Asks the browser, once, not to clear what the app keeps when room gets scarce: runs, and words in somebody's own hand. Some browsers ask the
 * reader, so it is called when something worth keeping is made, not when the app is opened.
 *
 * @returns Whether it is granted.
 */
export function keepStorage(): Promise<boolean> {
  asked ??= navigator.storage?.persist?.().catch(() => false) ?? Promise.resolve(false);
  return asked;
}
