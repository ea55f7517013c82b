import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generateShaders, shaderModule, templateLiteral } from "./gen_shaders.mjs";

describe("templateLiteral", () => {
  it("evaluates to the text it was made from", () => {
    const nasty = fc.string({ unit: fc.constantFrom("`", "\\", "$", "{", "}", "\n", "a", "é", '"', "'") });
    fc.assert(fc.property(nasty, (text) => evaluate(templateLiteral(text)) === text));
  });

  it("makes the same module of a checkout with CRLF line ends", () => {
    expect(evaluate(templateLiteral("a\r\nb"))).toBe("a\nb");
  });
});

describe("shaderModule", () => {
  it("sorts its keys, so that the file does not depend on the order of the folder", () => {
    const forward = shaderModule(
      new Map([
        ["add", "1"],
        ["mul", "2"],
      ]),
    );
    const backward = shaderModule(
      new Map([
        ["mul", "2"],
        ["add", "1"],
      ]),
    );
    expect(backward).toBe(forward);
  });

  it("refuses a name that is not snake_case", () => {
    expect(() => shaderModule(new Map([["layer-norm", ""]]))).toThrow(
      'Expected a shader\'s name in snake_case but found "layer-norm.wgsl"',
    );
  });
});

describe("generateShaders", () => {
  let root: string;
  let source: string;
  let target: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "gen-shaders-"));
    source = join(root, "shaders");
    target = join(root, "out", "shaders.gen.ts");
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it("puts shared parts in, which are no shaders themselves", async () => {
    mkdirSync(join(source, "parts"), { recursive: true });
    writeFileSync(join(source, "parts", "one.wgsl"), "const ONE = 1u;\n");
    writeFileSync(join(source, "add.wgsl"), "// add\n//#include one\nfn main() {}\n");
    generateShaders(source, target);
    expect(await import(pathToFileURL(target).href)).toMatchObject({ shaders: { add: "// add\nconst ONE = 1u;\nfn main() {}\n" } });
    writeFileSync(join(source, "mul.wgsl"), "//#include two\n");
    expect(() => generateShaders(source, target)).toThrow('Expected shaders/parts/two.wgsl for "//#include two" but found no such file');
  });

  it("writes a module whose values are the files", async () => {
    mkdirSync(source);
    const wgsl = "// `a` \\ b\n@compute @workgroup_size(1) fn main() {}\n";
    writeFileSync(join(source, "add.wgsl"), wgsl);
    writeFileSync(join(source, "README.md"), "not a shader");
    expect(generateShaders(source, target)).toBe(false);
    const module = await import(pathToFileURL(target).href);
    expect(module.shaders).toEqual({ add: wgsl });
  });

  it("works with no shader at all", async () => {
    generateShaders(source, target);
    expect((await import(pathToFileURL(target).href)).shaders).toEqual({});
  });

  it("leaves a file alone that is up to date", () => {
    generateShaders(source, target);
    utimesSync(target, 1, 1);
    expect(generateShaders(source, target)).toBe(true);
    expect(statSync(target).mtimeMs).toBe(1000);
  });

  it("only looks when asked to check", () => {
    generateShaders(source, target);
    const before = readFileSync(target, "utf8");
    mkdirSync(source);
    writeFileSync(join(source, "add.wgsl"), "");
    expect(generateShaders(source, target, { check: true })).toBe(false);
    expect(readFileSync(target, "utf8")).toBe(before);
  });
});

/** The value of a literal in TypeScript's own words. */
function evaluate(literal: string): string {
  return new Function(`return ${literal};`)();
}
