import type { ReportSheet, SheetWord } from "./report_data.ts";

/**
 * A sheet that `inkSheet` drew, taken apart into its words, so that a page can lay them out as it has room and keep each in its place while steps
 * go by. Another SVG stays whole.
 */
export function splitSheet(svg: string): ReportSheet {
  const words = [...svg.matchAll(/^<text [^>]*>([^<]*)<\/text><g transform="translate\([^)]*\)">(.*)<\/g>$/gm)];
  const captions = svg.match(/<text /g)?.length ?? 0;
  if (words.length === 0 || words.length !== captions) return { svg };
  return { words: words.map(([, caption, body]): SheetWord => ({ caption: unescaped(caption!), body: body!, box: bounds(body!) })) };
}

/** The box around all points and control points of the paths; a line of writing where there are none. */
function bounds(body: string): SheetWord["box"] {
  const numbers = [...body.matchAll(/ d="([^"]*)"/g)].flatMap(([, path]) => (path!.match(/-?[\d.]+(?:e-?\d+)?/g) ?? []).map(Number));
  if (numbers.length === 0) return [0, -0.3, 0.3, 0.1];
  const xs = numbers.filter((_, i) => i % 2 === 0);
  const ys = numbers.filter((_, i) => i % 2 === 1);
  const margin = 0.03;
  const box = [Math.min(...xs) - margin, Math.min(...ys) - margin, Math.max(...xs) + margin, Math.max(...ys) + margin] as const;
  return box.map((value) => Math.round(1000 * value) / 1000) as unknown as SheetWord["box"];
}

function unescaped(text: string): string {
  const characters: Readonly<Record<string, string>> = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };
  return text.replace(/&(?:lt|gt|quot|#39|amp);/g, (entity) => characters[entity]!);
}
