import { homedir } from "node:os";

/** A value with the home folder as `~` in all its texts: a report is made to be shown around. */
export function homely<T>(value: T, home: string = homedir()): T {
  if (typeof value === "string") return shorten(value, home) as T;
  if (Array.isArray(value)) return value.map((item) => homely(item, home)) as T;
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, homely(item, home)])) as T;
  return value;
}

/** Only whole names of folders: `/home/al` does not begin `/home/alice`. */
function shorten(text: string, home: string): string {
  if (home.length < 2) return text;
  const literal = home.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return text.replaceAll(new RegExp(`${literal}(?![\\w.-])`, "g"), "~");
}
