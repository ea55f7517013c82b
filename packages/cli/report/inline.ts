import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * Code as it may stand in a script or style element: within one only its end tag could end it early, and in code and styles that can only
 * stand in a string, where the escape means the same.
 */
export function safeInElement(code: string): string {
  return code.replaceAll(/<\/(script|style)/gi, "<\\/$1").replaceAll("<!--", "<\\!--");
}

/** The licence of an installed package, which has to go with its code. */
export async function licenceIn(folder: string): Promise<string> {
  const name = (await readdir(folder)).find((file) => /^licen[cs]e/i.test(file));
  if (name === undefined) throw new Error(`Expected a licence in ${folder} but found none`);
  return (await readFile(join(folder, name), "utf8")).trim();
}
