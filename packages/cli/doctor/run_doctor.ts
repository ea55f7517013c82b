import { checkDisk } from "./disk.ts";
import { type Finding, type Group, groupOf } from "./finding.ts";
import type { Extent, Listener } from "./gpu_checks.ts";
import { checkGpuApart } from "./gpu_session.ts";
import { homely } from "./homely.ts";
import { checkDependencies } from "./machine/dependencies.ts";
import { checkMemory } from "./machine/memory.ts";
import { checkNode } from "./machine/node.ts";
import { checkPackageManager } from "./machine/package_manager.ts";
import { checkProcessor } from "./machine/processor.ts";
import { checkProgram } from "./machine/program.ts";
import { type Report, reportOf } from "./report.ts";

/** What {@link runDoctor} checks, and who hears of it. */
export interface DoctorOptions extends Extent {
  /** Where run folders go. */
  readonly runs: string;
  /** Called with each group's findings as soon as they are complete. */
  readonly onGroup?: (group: Group, findings: readonly Finding[]) => void;
  readonly progress?: (text: string) => void;
  /** Replaces the checks of the GPU, in tests. */
  readonly gpu?: (extent: Extent, listener: Listener) => Promise<void>;
}

/** Checks this machine: what it is, its GPU, that the GPU computes right, how fast, and the disk. */
export async function runDoctor(options: DoctorOptions): Promise<Report> {
  const { onGroup, progress = () => {}, gpu = checkGpuApart } = options;
  const started = new Date();
  const began = performance.now();
  const findings: Finding[] = [];
  let open: Finding[] = [];
  const close = (): void => {
    if (open.length > 0) onGroup?.(groupOf(open[0]!), open);
    open = [];
  };
  const emit = (finding: Finding): void => {
    const shown = homely(finding);
    if (open.length > 0 && groupOf(open[0]!) !== groupOf(shown)) close();
    open.push(shown);
    findings.push(shown);
  };
  for (const check of [checkProgram, checkNode, checkPackageManager, checkDependencies, checkProcessor, checkMemory]) emit(await check());
  close();
  await gpu({ quick: options.quick, thorough: options.thorough, tune: options.tune ?? false }, { emit, progress });
  for (const finding of await checkDisk(options.runs)) emit(finding);
  close();
  return reportOf(findings, { started, seconds: (performance.now() - began) / 1000 });
}
