import { describe, expect, it } from "vitest";
import type { Finding } from "./finding.ts";
import { renderGroup, renderVerdict } from "./render.ts";
import { reportOf } from "./report.ts";

const paper = { width: 80, colours: false };
const about = { started: new Date(0), seconds: 12.34 };

const compared = (name: string, families: Record<string, { worst: number } | null>): Finding => ({
  id: `arithmetic.${name}`,
  name,
  status: "ok",
  found: "in words",
  data: { cases: 3, families },
});
const findings: Finding[] = [
  { id: "machine.node", name: "Node", status: "ok", found: "v22.1.0 on linux x64" },
  {
    id: "gpu.adapter",
    name: "adapter",
    status: "note",
    found: "llvmpipe, software, by Vulkan: computes on the processor",
    data: { name: "llvmpipe", isSoftware: true },
  },
  compared("matmul", { panel: { worst: 0.25 }, tile: null }),
  compared("sort", { panel: { worst: 0 }, tile: { worst: 0 } }),
  { id: "arithmetic.left-out", name: "other kernels", status: "skip", found: "tile: left out", data: { leftOut: ["tile"] } },
  { id: "arithmetic.bits", name: "same bits again", status: "ok", found: "all the same" },
  { id: "speed.training", name: "training", status: "ok", found: "120 ms", data: { milliseconds: 120, steps: 3000, bound: "compute" } },
];
const full: Finding = {
  id: "disk.write",
  name: "write",
  status: "fail",
  found: "Expected room on the disk but found it full",
  fix: "pnpm cli runs rm RUN --and-a-command-that-is-longer-than-the-line --which-must-not-break   # frees what it held",
};

describe("renderGroup()", () => {
  it("puts errors of the arithmetic in a table by family of kernels", () => {
    expect(renderGroup("arithmetic", findings.slice(2, 6), paper)).toMatchInlineSnapshot(`
      "Arithmetic: the worst error against float64 in units of its bound (up to 1 is right)
                                    panel     tile
        ok    matmul                0.250     -
        ok    sort                  exact     exact
        skip  other kernels         tile: left out
        ok    same bits again       all the same
      "
    `);
  });

  it("breaks long lines, but no command, so that it can be copied", () => {
    expect(renderGroup("disk", [full], paper)).toMatchInlineSnapshot(`
      "Disk
        FAIL  write                 Expected room on the disk but found it full
                                    fix: pnpm cli runs rm RUN --and-a-command-that-is-longer-than-the-line --which-must-not-break
                                    # frees what it held
      "
    `);
  });

  it("says in words what is wrong, beside the table", () => {
    const wrong: Finding = { ...compared("matmul", { panel: { worst: 12 } }), status: "fail", found: "panel 12; wrong: panel", fix: "x" };
    expect(renderGroup("arithmetic", [wrong], paper)).toContain("FAIL  matmul                panel 12; wrong: panel");
  });

  it("has marks that need no colour, and colours only where they are wanted", () => {
    const control = "\u001b[";
    expect(renderGroup("disk", [full], paper)).not.toContain(control);
    const coloured = renderGroup("disk", [full], { ...paper, colours: true });
    expect(coloured).toContain(control);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours
    expect(coloured.replaceAll(/\u001b\[\d+m/g, "")).toBe(renderGroup("disk", [full], paper));
  });
});

describe("renderVerdict()", () => {
  it("answers the three questions", () => {
    expect(renderVerdict(reportOf(findings, about), paper)).toMatchInlineSnapshot(`
      "Does it start?          yes, on llvmpipe
      Does it compute right?  yes, 9 comparisons with float64 within their bounds, and
                              the same bits again; the worst at 25 % of its bound
                              (matmul, panel)
      Is it fast?             yes, for a processor: a training step of tiny takes 120
                              ms, all 3000 of them 06:00; a GPU would be much faster

      5 ok, 1 note, 0 warnings, 0 failures, 1 skipped; 12.3 s"
    `);
  });

  it("says NO, why, and what to do first", () => {
    const text = renderVerdict(reportOf([...findings, full], about), paper);
    expect(text).toContain(
      "Does it start?          NO: write: Expected room on the disk but found it full\n                        fix: pnpm cli runs rm",
    );
    expect(text).toContain("5 ok, 1 note, 0 warnings, 1 failure, 1 skipped");
  });
});

describe("reportOf()", () => {
  const exitCode = (...more: Finding[]): number => reportOf([...findings, ...more], about).exitCode;

  it("fails with a failure and with nothing less", () => {
    expect(exitCode()).toBe(0);
    expect(exitCode({ ...full, status: "warn" })).toBe(0);
    expect(exitCode({ ...full, status: "skip" })).toBe(0);
    expect(exitCode(full)).toBe(1);
  });

  it("does not count as right what is wrong in kernels that are not used", () => {
    const unused: Finding = { ...compared("softmax", { panel: { worst: 0.5 }, tile: { worst: 40 } }), status: "warn", fix: "none needed" };
    const { answer, text } = reportOf([unused], about).verdict.right;
    expect({ answer, text }).toEqual({ answer: "yes", text: expect.stringMatching(/^3 comparisons .* 50 % of its bound/) });
  });

  it("tells slowness by other programs and idle GPUs from that of a software adapter", () => {
    const fast = (...more: Finding[]): object => reportOf([...more, ...findings], about).verdict.fast;
    expect(fast()).toMatchObject({ answer: "yes", text: expect.stringContaining("a GPU would be much faster") });
    const busy: Finding = { id: "machine.processor", name: "processor", status: "warn", found: "load 9" };
    expect(fast(busy)).toMatchObject({ answer: "no", text: expect.stringContaining("other programs") });
    const idle: Finding = { ...findings[1]!, status: "warn", data: { name: "llvmpipe", isSoftware: true, idle: ["NVIDIA"] } };
    expect(fast(idle)).toMatchObject({ answer: "no", text: expect.stringContaining("a GPU by NVIDIA lies idle") });
    const hardware: Finding = { ...findings[1]!, status: "ok", data: { name: "RTX", isSoftware: false } };
    expect(fast(hardware)).toMatchObject({ answer: "yes", text: expect.stringContaining("bound by compute") });
  });
});
