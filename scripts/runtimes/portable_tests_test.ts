import { describe, expect, it } from "vitest";
import { needOf, portableTests } from "./portable_tests.mjs";

describe("needOf", () => {
  it("names what a test imports that is Node's or vitest's own", () => {
    expect(needOf('import { readFileSync } from "node:fs";')).toBe("node:fs");
    expect(needOf('import {\n  a,\n  b,\n} from "node:path";\nimport fc from "fast-check";')).toBe("node:path");
    expect(needOf('afterEach(() => vi.restoreAllMocks());\n  vi.stubEnv("A", "1");')).toBe("vi.stubEnv");
  });

  it("finds no need in tests of kernels, whatever their text says", () => {
    expect(
      needOf('import { describe, expect, it } from "vitest";\n// vi.useFakeTimers, from "node:fs"\nconst x = "node:fs";'),
    ).toBeUndefined();
    expect(needOf('import { it, vi } from "vitest";\nvi.spyOn(Math, "sin");\nconst x = v.i;')).toBeUndefined();
  });
});

describe("portableTests", () => {
  it("finds the kernels' tests, sets those apart that need Node, and leaves the command line out", () => {
    const { files, forNode } = portableTests([]);
    expect(files).toContain("packages/tensor/ops/attention/layout_test.ts");
    expect(forNode).toContainEqual({ file: "packages/cursive-model/transformer_golden_test.ts", need: "node:fs" });
    expect([...files, ...forNode.map(({ file }) => file)].filter((path) => path.includes("packages/cli/"))).toEqual([]);
  });

  it("takes parts of paths, as vitest does", () => {
    expect(portableTests(["ops/softmax"]).files).toEqual(["packages/tensor/ops/softmax_test.ts"]);
  });
});
