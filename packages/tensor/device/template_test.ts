import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TensorError } from "../errors.ts";
import { runs } from "../testing/mod.ts";
import { expand } from "./template.ts";

/** Lines without the margin that the test's own indentation gives them. */
const text = (lines: TemplateStringsArray): string =>
  lines[0]!
    .split("\n")
    .slice(1, -1)
    .map((line) => line.replace(/^ {4}/, ""))
    .join("\n");

describe("expand()", () => {
  it("spells out a tile: loops within loops, suffixes, parameters in bounds and branches", () => {
    const source = text`
    const ROWS = 2u; //#param
    const NC = 4u; //#param
    const VEC = false; //#param
    const r = 0u; //#loop
    const c = 0u; //#loop
    fn tile(v: vec4f) {
      //#for r in 0..ROWS
      //#for c in r..NC / 2
      var s__r__c = v.r * f32(r * 4u + c);
      //#if VEC && c == 0
      s__r__c += v.x;
      //#else
      s__r__c -= weight__c;
      //#end
      //#end
      //#end
    }
    `;
    expect(expand(source, { NC: 4, VEC: true })).toBe(text`
    const ROWS = 2u;
    const NC = 4u;
    const VEC = true;
    fn tile(v: vec4f) {
      var s_0_0 = v.r * f32(0u * 4u + 0u);
      s_0_0 += v.x;
      var s_0_1 = v.r * f32(0u * 4u + 1u);
      s_0_1 -= weight_1;
      var s_1_1 = v.r * f32(1u * 4u + 1u);
      s_1_1 -= weight_1;
    }
    `);
  });

  it("leaves the file as it is but for loop variables where nothing is asked of it", () => {
    const source = "const N = 3u; //#param\nconst i = 0u; //#loop\nlet a = N * i;";
    expect(expand(source)).toBe("const N = 3u;\nlet a = N * i;");
  });

  it("replaces values of any type and keeps the suffix", () => {
    const source = "const N: u32 = 3u; //#param\n  const EPS = 1e-5f; //#param\nconst DEEP = -1i; //#param\nconst ON = true; //#param";
    expect(expand(source, { N: 7, EPS: 0.5, DEEP: -4, ON: false })).toBe(
      "const N: u32 = 7u;\n  const EPS = 0.5f;\nconst DEEP = -4i;\nconst ON = false;",
    );
  });

  it("repeats nothing for an empty range, and keeps neither branch's directives", () => {
    expect(expand("const i = 0u; //#loop\n//#for i in 2..2\nx\n//#end\n//#if 0\na\n//#else\nb\n//#end\n//#if 1\nc\n//#end")).toBe("b\nc");
  });

  it("uncovers the branch that stands as comments so that the file is valid as it is", () => {
    const source = "const WIDE = false; //#param\n//#if WIDE\n  //| var x: vec4f;\n//#else\n  var x: f32; //| no\n//#end";
    expect(expand(source)).toBe("const WIDE = false;\n  var x: f32; //| no");
    expect(expand(source, { WIDE: true })).toBe("const WIDE = true;\n  var x: vec4f;");
  });

  it("takes a loop variable for a word only, not for a part of one or a swizzle", () => {
    expect(expand("const i = 0u; //#loop\n//#for i in 1..2\nfoo(i, v.i, ii, i2, x__i, y__ij, u__i__k);\n//#end")).toBe(
      "foo(1u, v.i, ii, i2, x_1, y__ij, u_1__k);",
    );
  });

  it("refuses parameters that the shader does not have, and names those it has", () => {
    expect(() => expand("const N = 1u; //#param", { M: 2 })).toThrow("Expected a parameter of the shader but found 'M'; it has N");
    expect(() => expand("x", { M: 2 })).toThrow("it has none");
  });

  it("refuses blocks that do not close or were never opened", () => {
    expect(() => expand("//#if 1\nx")).toThrow("Expected '//#end' for '//#if 1'");
    expect(() => expand("//#for i in 0..2\n//#if 1\n//#end")).toThrow("Expected '//#end' for '//#for i in 0..2'");
    expect(() => expand("x\n//#end")).toThrow("Expected an open block before '//#end'");
    expect(() => expand("//#else")).toThrow(TensorError);
  });

  it("refuses expressions that it cannot read", () => {
    for (const broken of ["N +", "(1", "1 2", "M", "N ~ 1", "#N", "N // why", "1.5"])
      expect(() => expand(`const N = 1u; //#param\n//#if ${broken}\n//#end`), broken).toThrow(
        `Expected an integer expression but found '${broken}'`,
      );
  });
});

describe("expressions", () => {
  /** An expression as text and its value by JavaScript. */
  interface Expression {
    readonly text: string;
    readonly value: number;
  }
  const truth = (b: boolean): number => (b ? 1 : 0);
  const operators: Record<string, (a: number, b: number) => number> = {
    "+": (a, b) => a + b,
    "-": (a, b) => a - b,
    "*": (a, b) => a * b,
    "==": (a, b) => truth(a === b),
    "!=": (a, b) => truth(a !== b),
    "<": (a, b) => truth(a < b),
    ">=": (a, b) => truth(a >= b),
    "&&": (a, b) => truth(a !== 0 && b !== 0),
    "||": (a, b) => truth(a !== 0 || b !== 0),
  };
  const { tree } = fc.letrec<{ tree: Expression; leaf: Expression; pair: Expression; division: Expression; not: Expression }>((tie) => ({
    tree: fc.oneof({ maxDepth: 4 }, tie("leaf"), tie("pair"), tie("division"), tie("not")),
    leaf: fc.oneof(
      fc.nat(9).map((n) => ({ text: `${n}`, value: n })),
      fc.nat(9).map((n) => ({ text: `${n}u`, value: n })),
      fc.constant({ text: "N", value: 7 }),
    ),
    pair: fc
      .tuple(tie("tree"), fc.constantFrom(...Object.keys(operators)), tie("tree"))
      .map(([a, op, b]) => ({ text: `(${a.text} ${op} ${b.text})`, value: operators[op]!(a.value, b.value) })),
    division: fc
      .tuple(tie("tree"), fc.integer({ min: 1, max: 5 }), fc.boolean())
      .map(([a, n, rest]) => ({ text: `(${a.text} ${rest ? "%" : "/"} ${n})`, value: rest ? a.value % n : Math.trunc(a.value / n) })),
    not: fc
      .tuple(tie("tree"), fc.boolean())
      .map(([a, minus]) => ({ text: minus ? `-(${a.text})` : `!(${a.text})`, value: minus ? -a.value : truth(a.value === 0) })),
  }));

  it("have the values that integer arithmetic gives them", () => {
    fc.assert(
      fc.property(tree, ({ text, value }) => {
        const kept = expand(`const N = 7u; //#param\n//#if (${text}) == (${value < 0 ? `0 - ${-value}` : value})\nyes\n//#end`);
        expect(kept).toBe("const N = 7u;\nyes");
      }),
      runs(300),
    );
  });

  it("bind tighter the further down the usual list an operator stands", () => {
    const value = (text: string): boolean => expand(`//#if ${text}\nyes\n//#end`) === "yes";
    expect(value("1 + 2 * 3 == 7")).toBe(true);
    expect(value("8 - 2 - 1 == 5")).toBe(true);
    expect(value("0 && 0 || 1")).toBe(true);
    expect(value("1 || 1 && 0")).toBe(true);
    expect(value("!0 && 2 > 1 + 0")).toBe(true);
    expect(value("7 / 2 * 2 == 6")).toBe(true);
  });
});
