import { type Signal, signal } from "@preact/signals";

/** What a screen reader is told next. */
export const announcement: Signal<string> = signal("");
/** What is shown for a while at the bottom. */
export const toast: Signal<string> = signal("");

const TOAST_MS = 5000;
/** Progress is told no more often than this: a screen reader would never finish a sentence. */
const QUIET_MS = 1500;

let hide: ReturnType<typeof setTimeout> | undefined;
let later: ReturnType<typeof setTimeout> | undefined;
let last = 0;

/** Tells a screen reader something, politely; of what comes too fast only the latest. */
export function announce(text: string): void {
  clearTimeout(later);
  const wait = Math.max(0, last + QUIET_MS - performance.now());
  later = setTimeout(() => {
    last = performance.now();
    announcement.value = text;
  }, wait);
}

/** Shows a short message for a few seconds, and tells it. */
export function showToast(text: string): void {
  clearTimeout(hide);
  toast.value = text;
  announce(text);
  hide = setTimeout(() => {
    toast.value = "";
  }, TOAST_MS);
}
