import { computed, type ReadonlySignal, type Signal, signal, useComputed } from "@preact/signals";
import { useMemo } from "preact/hooks";

/** Where in the app one is: everything that a link has to hold, as `#/features/18?text=anger&seed=3`. */
export interface Route {
  /** The page's name; empty for the first page. */
  readonly page: string;
  /** What follows the page's name. */
  readonly path: readonly string[];
  readonly params: URLSearchParams;
}

/** What a parameter may be set to; `undefined`, `null` and `false` take it out of the link. The empty text is a text. */
export type ParamValue = string | number | boolean | null | undefined;

/** Browsers refuse more than about a hundred new addresses in half a minute, and a slider makes more. */
const ADDRESS_DELAY_MS = 250;

const current: Signal<Route> = signal(parseRoute(globalThis.location?.hash ?? ""));
/** What is written, and from which draws: all pages look at the same ink. */
const SHARED = ["text", "seed", "temperature", "topK"] as const;

/** The last place of each page in this tab, by the page's name. */
const left = new Map<string, Route>();
let pending: ReturnType<typeof setTimeout> | undefined;

/** Where one is now. Components that read it are drawn again when it changes. */
export const route: ReadonlySignal<Route> = current;

/** The page of a link that names none. */
export const FIRST_PAGE = "write";

/** The name of the page where one is. Other than {@link route} it stays the same while parameters change. */
export const pageName: ReadonlySignal<string> = computed(() => current.value.page || FIRST_PAGE);

/** The shared part of the link, as a query: links are drawn again when it changes, and not with every movement of a slider. */
const shared: ReadonlySignal<string> = computed(() => {
  const { params } = current.value;
  return new URLSearchParams(SHARED.flatMap((name) => (params.has(name) ? [[name, params.get(name)!]] : []))).toString();
});

/** Reads a link's hash. Escapes that are none are kept as they are. */
export function parseRoute(hash: string): Route {
  const [place = "", query = ""] = hash.replace(/^#?\/?/, "").split(/\?(.*)/s);
  const [page = "", ...path] = place.split("/").map(unescaped);
  return { page, path: path.filter(Boolean), params: new URLSearchParams(query) };
}

/**
 * The hash of a place in the app, for `href`. It takes along what all pages share, the text, the seed and how tokens are drawn, unless `params`
 * says otherwise: what was typed on one page is there on the next, and on the way back.
 */
export function linkTo(page: string, options: { path?: readonly (string | number)[]; params?: Record<string, ParamValue> } = {}): string {
  const { path = [], params = {} } = options;
  return hashOf({ page, path: path.map(String), params: withParams(new URLSearchParams(shared.value), params) });
}

/**
 * The link's parameters but for some. A component that calls it is drawn again when one of them changes, and only then: what follows a slider
 * at sixty frames a second should not draw a page.
 */
export function useParams(options: { readonly without?: readonly string[] } = {}): URLSearchParams {
  const { without = [] } = options;
  const query = useComputed(() => {
    const { params } = current.value;
    return new URLSearchParams([...params].filter(([name]) => !without.includes(name))).toString();
  }).value;
  return useMemo(() => new URLSearchParams(query), [query]);
}

/**
 * Changes parameters of the link and leaves the others. With `replace` (the default) the address changes in place, as for a slider; without it
 * the browser's back button undoes the change.
 */
export function setParams(changes: Record<string, ParamValue>, options: { replace?: boolean } = {}): void {
  const { page, path, params } = current.peek();
  move({ page, path, params: withParams(params, changes) }, options.replace ?? true);
}

/** Goes to another place in the app. */
export function goTo(page: string, options: { path?: readonly (string | number)[]; params?: Record<string, ParamValue> } = {}): void {
  move(parseRoute(linkTo(page, options)), false);
}

/** The hash of a page as one left it, with what all pages share as it is now; of the page where one is, its own. */
export function linkBackTo(page: string): string {
  const { page: name, path, params } = page === pageName.value ? current.peek() : (left.get(page) ?? { page, path: [], params: [] });
  const own = [...params].filter(([key]) => !(SHARED as readonly string[]).includes(key));
  return hashOf({ page: name, path, params: new URLSearchParams([...new URLSearchParams(shared.value), ...own]) });
}

/** Goes to a page as one left it, with what all pages share as it is now. */
export function goBackTo(page: string): void {
  move(parseRoute(linkBackTo(page)), false);
}

/** The address of what is seen now, to give to others. */
export function currentLink(): string {
  const { origin, pathname } = globalThis.location;
  return `${origin}${pathname}${hashOf(current.peek())}`;
}

/** Follows the browser's back and forward buttons and links. @returns What stops it. */
export function followAddress(): () => void {
  const onChange = (): void => {
    remember();
    current.value = parseRoute(globalThis.location.hash);
  };
  globalThis.addEventListener("hashchange", onChange);
  return () => globalThis.removeEventListener("hashchange", onChange);
}

function move(to: Route, replace: boolean): void {
  const from = hashOf(current.peek());
  const hash = hashOf(to);
  if (hash === from) return;
  remember();
  current.value = to;
  clearTimeout(pending);
  if (!replace) {
    // What is still to be put into the address belongs to the entry that is left.
    globalThis.history.replaceState(null, "", from);
    globalThis.history.pushState(null, "", hash);
  } else pending = setTimeout(() => globalThis.history.replaceState(null, "", hashOf(current.peek())), ADDRESS_DELAY_MS);
}

function remember(): void {
  left.set(pageName.peek(), current.peek());
}

function withParams(params: URLSearchParams, changes: Record<string, ParamValue>): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === null || value === false) next.delete(name);
    else next.set(name, value === true ? "1" : String(value));
  }
  return next;
}

function hashOf({ page, path, params }: Route): string {
  const query = params.toString();
  return `#/${[page, ...path].map(encodeURIComponent).join("/")}${query ? `?${query}` : ""}`;
}

function unescaped(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
