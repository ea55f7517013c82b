import { TensorError } from "../errors.ts";

/** Values for a template's `//#param` constants. */
export type Defines = Readonly<Record<string, number | boolean>>;

/**
 * Expands a WGSL template. The file, its parts included, is valid WGSL as it stands; directives are comments, so an editor or `naga` checks
 * it unexpanded:
 *
 * - `const NC = 4u; //#param`: a tile parameter with its default; `defines.NC` replaces the value.
 * - `const c = 0u; //#loop`: declares a loop variable for the unexpanded file only; dropped.
 * - `//#for c in 0..NC` … `//#end`: repeats the lines; in them the word `c` becomes `0u`, `1u`, … and the identifier suffix `__c` becomes
 *   `_0`, `_1`, …, so `s__r__c` turns into `s_1_2`. Bounds are integer expressions of parameters and outer loop variables.
 * - `//#if EXPR` … `//#else` … `//#end`: keeps one branch; EXPR as for bounds, with comparisons, `&&`, `||` and `!`. Where the branches
 *   declare the same names, the one that the defaults leave out is written as comments, each line after `//| `.
 *
 * @example
 * ```ts
 * expand("const N = 1u; //#param\nconst i = 0u; //#loop\n//#for i in 0..N\nlet v__i = i;\n//#end", { N: 2 });
 * // const N = 2u;
 * // let v_0 = 0u;
 * // let v_1 = 1u;
 * ```
 * @throws TensorError for a define that the template does not declare, an unclosed block or an unreadable expression.
 */
export function expand(source: string, defines: Defines = {}): string {
  const values = new Map<string, number>();
  const lines: string[] = [];
  for (const line of source.split("\n")) {
    const param = /^(\s*const\s+(\w+)\s*(?::\s*\w+\s*)?=\s*)([\w.-]+?)([ufi]?)(\s*;)\s*\/\/#param\s*$/.exec(line);
    if (param) {
      const [, head, name, literal, suffix, tail] = param as unknown as [string, string, string, string, string, string];
      const given = defines[name];
      values.set(name, Number(given ?? (literal === "true" ? 1 : literal === "false" ? 0 : literal)));
      lines.push(head + (given === undefined ? literal : String(given)) + suffix + tail);
    } else if (!/\/\/#loop\s*$/.test(line)) lines.push(line);
  }
  for (const name of Object.keys(defines)) {
    if (!values.has(name))
      throw new TensorError(`Expected a parameter of the shader but found '${name}'; it has ${[...values.keys()].join(", ") || "none"}`);
  }
  return expandBlock(lines, values).join("\n");
}

function expandBlock(lines: readonly string[], values: ReadonlyMap<string, number>): string[] {
  const out: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const loop = /^\s*\/\/#for\s+(\w+)\s+in\s+(.+?)\.\.(.+?)\s*$/.exec(line);
    const branch = /^\s*\/\/#if\s+(.+?)\s*$/.exec(line);
    if (!loop && !branch) {
      if (/^\s*\/\/#(end|else)\b/.test(line)) throw new TensorError(`Expected an open block before '${line.trim()}'`);
      out.push(line.replace(/^(\s*)\/\/\| /, "$1"));
      continue;
    }
    const { end, otherwise } = blockEnd(lines, i);
    if (loop) {
      const [, name, from, to] = loop as unknown as [string, string, string, string];
      const body = lines.slice(i + 1, end);
      const last = evaluate(to, values);
      for (let k = evaluate(from, values); k < last; k++) {
        out.push(
          ...expandBlock(
            body.map((l) => substitute(l, name, k)),
            new Map(values).set(name, k),
          ),
        );
      }
    } else {
      const kept =
        evaluate(branch![1]!, values) !== 0 ? lines.slice(i + 1, otherwise ?? end) : lines.slice((otherwise ?? end - 1) + 1, end);
      out.push(...expandBlock(kept, values));
    }
    i = end;
  }
  return out;
}

/** Where the block opened at `start` ends, and where its own `//#else` stands. */
function blockEnd(lines: readonly string[], start: number): { end: number; otherwise: number | undefined } {
  let depth = 0;
  let otherwise: number | undefined;
  for (let i = start; i < lines.length; i++) {
    const line = lines[i]!;
    if (/^\s*\/\/#(for|if)\b/.test(line)) depth++;
    else if (/^\s*\/\/#else\b/.test(line) && depth === 1) otherwise = i;
    else if (/^\s*\/\/#end\b/.test(line) && --depth === 0) return { end: i, otherwise };
  }
  throw new TensorError(`Expected '//#end' for '${lines[start]!.trim()}'`);
}

/** The loop variable becomes a literal, in directives a bare number; swizzles (`v.c`) are left alone. */
function substitute(line: string, name: string, k: number): string {
  const suffixed = line.replace(new RegExp(`__${name}(?![A-Za-z0-9])`, "g"), `_${k}`);
  const directive = /^\s*\/\/#/.test(line);
  return suffixed.replace(new RegExp(`(?<![\\w.])${name}(?!\\w)`, "g"), directive ? `${k}` : `${k}u`);
}

/** Integer arithmetic over parameters: `+ - * / %`, comparisons, `&& || !`, parentheses. Division truncates. */
function evaluate(text: string, values: ReadonlyMap<string, number>): number {
  const tokens = text.match(/\d+u?|\w+|&&|\|\||[=!<>]=|[-+*/%()<>!]/g) ?? [];
  let at = 0;
  const fail = (): never => {
    throw new TensorError(`Expected an integer expression but found '${text}'`);
  };
  if (tokens.join("") !== text.replace(/\s/g, "")) fail();
  const primary = (): number => {
    const token = tokens[at++];
    if (token === undefined) return fail();
    if (token === "(") {
      const value = binary(0);
      if (tokens[at++] !== ")") fail();
      return value;
    }
    if (token === "!") return primary() ? 0 : 1;
    if (token === "-") return -primary();
    if (/^\d/.test(token)) return Number.parseInt(token, 10);
    const value = values.get(token);
    return value === undefined ? fail() : value;
  };
  const levels: Record<string, (a: number, b: number) => number>[] = [
    { "||": (a, b) => (a || b ? 1 : 0) },
    { "&&": (a, b) => (a && b ? 1 : 0) },
    {
      "==": (a, b) => Number(a === b),
      "!=": (a, b) => Number(a !== b),
      "<": (a, b) => Number(a < b),
      ">": (a, b) => Number(a > b),
      "<=": (a, b) => Number(a <= b),
      ">=": (a, b) => Number(a >= b),
    },
    { "+": (a, b) => a + b, "-": (a, b) => a - b },
    { "*": (a, b) => a * b, "/": (a, b) => Math.trunc(a / b), "%": (a, b) => a % b },
  ];
  const binary = (level: number): number => {
    if (level === levels.length) return primary();
    let left = binary(level + 1);
    for (let f = levels[level]![tokens[at] ?? ""]; f; f = levels[level]![tokens[at] ?? ""]) {
      at++;
      left = f(left, binary(level + 1));
    }
    return left;
  };
  const value = binary(0);
  return at === tokens.length ? value : fail();
}
