import { describe, expect, it } from "vitest";
import { DEFAULT_CASES, QUICK_CASES } from "./cases.ts";
import { WrongUse } from "./errors.ts";
import { parseOptions } from "./options.ts";

const namesOf = (args: readonly string[]): string[] => parseOptions(args).cases.map(({ name }) => name);

describe("parseOptions", () => {
  it("measures everything with everyone unless told otherwise", () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({ repeats: 7, start: false, asked: false, json: undefined, pythons: [], limit: 600, help: false });
    expect(options.cases.map(({ name }) => name)).toEqual(DEFAULT_CASES);
    expect(options.engines).toContainEqual({ engine: "cursive", mode: "captured" });
    expect(options.engines).toContainEqual({ engine: "pytorch-cpu", mode: "sdpa" });
    expect(options.engines).toContainEqual({ engine: "pytorch-cuda", mode: "compile" });
  });

  it("measures less when in a hurry, but what was asked for", () => {
    expect(namesOf(["--quick"])).toEqual(QUICK_CASES);
    expect(parseOptions(["--quick"]).repeats).toBe(3);
    expect(namesOf(["--quick", "--cases", "gpt:1x2"])).toEqual(["gpt:1x2"]);
    expect(parseOptions(["--quick", "--repeats", "9"]).repeats).toBe(9);
  });

  it("takes lists with commas, each case once, and what pnpm passes on", () => {
    expect(namesOf(["--", "--cases", "matmul:8, sae:2x4,matmul:8"])).toEqual(["matmul:8", "sae:2x4"]);
    expect(parseOptions(["--engines=jax-js,cursive/eager"]).engines).toEqual([
      { engine: "jax-js", mode: "jit" },
      { engine: "cursive", mode: "eager" },
    ]);
  });

  it("leaves out of the usual cases those that no engine asked for can do", () => {
    const kinds = (...args: string[]) => new Set(parseOptions(args).cases.map(({ kind }) => kind));
    expect(kinds("--engines", "jax-js")).toEqual(new Set(["gpt", "sae", "matmul"]));
    expect(kinds("--engines", "cursive/cached,cursive/recomputed")).toEqual(new Set(["token"]));
  });

  it("looks for torch where PYTHON says, and elsewhere if told so", () => {
    expect(parseOptions([], { PYTHON: "py" }).pythons).toEqual(["py"]);
    expect(parseOptions(["--python", "a,b"], { PYTHON: "py" }).pythons).toEqual(["a", "b"]);
  });

  it.each([
    [["--engines", "jaxjs"], /^Expected an engine but found "jaxjs": did you mean jax-js\?$/],
    [["--engines", "cursive/fast"], /^Expected cursive\/captured or cursive\/eager or .* but found "cursive\/fast"$/],
    [["--cases", "token:1x9", "--engines", "jax-js"], /^Expected an engine that can do token:1x9 but found jax-js$/],
    [["--cases", "gpt:4x25O"], /^Expected a case/],
    [["--repeat", "3"], /^Expected an option but found --repeat: did you mean --repeats\?$/],
    [["--repeats", "0"], /^Expected a whole number from 1 after --repeats but found 0$/],
    [["--repeats", "many"], /found many$/],
    [["--json"], /^Expected a value after --json but found none$/],
    [["gpt:4x250"], /^Expected options alone but found "gpt:4x250": did you mean --cases gpt:4x250\?$/],
  ])("refuses %j", (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
    expect(() => parseOptions(args)).toThrow(WrongUse);
  });
});
