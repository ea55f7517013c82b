import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Split, spliceSite, targetBatches, tokenFilter } from "@cursive/cursive-model";
import { evaluateSae, stability } from "@cursive/sae";
import { openDevice } from "@cursive/tensor";
import { type Command, InvalidArgumentError, Option } from "commander";
import { RunFailed, UsageError } from "../../errors.ts";
import { readIfThere, writeWhole } from "../../run/files.ts";
import { describeModel } from "../../run/find_model.ts";
import { listenForInterrupt } from "../../run/interrupt.ts";
import type { ModelWithData } from "../../run/model_data.ts";
import { type ComparedSae, describeComparison, flattened } from "../../sae/comparison/describe.ts";
import { comparisonPage } from "../../sae/comparison/page.ts";
import { findSaes, type LoadedSae, nameSae } from "../../sae/load_sae.ts";
import { type ReadWords, readWords, warnOfTrainedWords } from "../../sae/read_words.ts";
import type { SaeRunConfig } from "../../sae/sae_config.ts";
import { rowSite } from "../../sae/sae_source.ts";
import { findSubject, type SubjectChoice } from "../../sae/sae_subject.ts";
import { Output } from "../../terminal/output.ts";

interface SaeCompareFlags extends SubjectChoice {
  readonly split: Split;
  readonly batches?: number;
  readonly batchSize?: number;
  readonly out?: string;
  readonly json?: true;
  readonly quiet?: true;
}

/** `sae compare`: autoencoders side by side. */
export function addSaeCompareCommand(sae: Command): void {
  sae
    .command("compare")
    .description("Measure autoencoders on the same words, side by side: what differs between them, and how much of each the others find.")
    .argument("<saes...>", "files or runs: a name, number or folder; run:name for one of a run that trained several, else all of it")
    .option("--runs <folder>", "where run folders are; those of autoencoders are in saes/ there", "runs")
    .option("--run <run>", "a run whose model to measure with (default: the checkpoint that each was trained on)")
    .addOption(new Option("--which <checkpoint>", "that run's best or last checkpoint").choices(["best", "last"]))
    .option("--checkpoint <file>", "a model's checkpoint instead")
    .option("--data <file>", "measure on a word bank (zip or JSON; default: the words that each was trained with)")
    .addOption(new Option("--split <split>", "held-out words, or those trained on").choices(["test", "train"]).default("test"))
    .option("--batches <n>", "batches (default: as the model's evaluations)", wholeNumber)
    .option("--batch-size <n>", "sequences in each (default: as the model's evaluations)", wholeNumber)
    .option("--out <page>", "write a page (HTML) as well: figures, how often latents fire, and what each difference does")
    .option("--json", "the comparison as one JSON object on standard output")
    .option("--quiet", "no progress, only the figures")
    .addHelpText("after", examples)
    .action(async (asked: string[], flags: SaeCompareFlags) => compare(asked, flags, new Output(flags)));
}

const examples = `
Activations are those of ink, targets those without padding. Each ± is one standard error. MMCS is the mean over a column's latents of the
greatest cosine with one of the row's, both out of those that fire: near 1 where these are found again. \`sae eval\` tells more of one.

Examples:
  pnpm cli sae compare 1 2                          the autoencoders of two runs
  pnpm cli sae compare 3                            all that a grid trained
  pnpm cli sae compare 3:k-4 3:k-8 theirs.safetensors
  pnpm cli sae compare notebook-001 default-002 --out comparison.html
  pnpm --silent cli sae compare 3 --json | jq '.saes[] | [.name, .fve.value]'`;

/** An autoencoder with what it is measured in. */
interface Place {
  readonly loaded: LoadedSae;
  readonly subject: ModelWithData;
  readonly site: string;
  readonly words: ReadWords;
}

async function compare(asked: readonly string[], flags: SaeCompareFlags, output: Output): Promise<void> {
  using device = await openDevice();
  const saes = await findAll(asked, flags.runs);
  const subjects = new Map<string, ModelWithData>();
  const places: Place[] = [];
  for (const loaded of saes) {
    const { checkpoint, modelHash, bank } = loaded.origin;
    const key = JSON.stringify([checkpoint, modelHash, bank]);
    const subject = subjects.get(key) ?? (await findSubject(loaded, flags));
    subjects.set(key, subject);
    const { name: site, width } = rowSite(subject, loaded.origin.hook);
    if (width !== loaded.config.dIn)
      throw new UsageError(`${nameSae(loaded)}: Expected activations ${loaded.config.dIn} wide but found ${site}, ${width} wide`);
    places.push({ loaded, subject, site, words: readWords(loaded, { subject, split: flags.split }) });
  }
  const models = new Map(places.map(({ subject: { found } }) => [found.path, found]));
  for (const found of models.values()) output.say(`model    ${describeModel(found)}`);
  if (models.size > 1) output.warn("note: these are of different models, each measured with its own");
  if (new Set(places.map(({ subject: { data } }) => data.hash)).size > 1)
    output.warn("note: these read different words, each those that it was trained with; --data names the same for all");
  for (const { words, loaded } of places) warnOfTrainedWords(words, { loaded, output });
  output.say(`adapter  ${device.name}${device.isSoftware ? " (software)" : ""}`);
  const interruption = listenForInterrupt(() => output.warn("stopping after the sequences under way; once more leaves at once"));
  const states = await Promise.all(saes.map(({ sae }) => sae.stateDict()));
  try {
    const measured: Omit<ComparedSae, "foundIn">[] = [];
    for (const [i, { loaded, subject, site, words }] of places.entries()) {
      const { found, config: run, data } = subject;
      const { batches = run.training.evaluation.batches, batchSize = run.training.evaluation.batchSize } = flags;
      const evaluation = await evaluateSae(loaded.sae, {
        model: spliceSite(found.model, site),
        batches: targetBatches(data.dataset, { split: flags.split, batches, batchSize }),
        padToken: found.tokenizer.padToken,
        keep: tokenFilter(found.tokenizer),
        signal: interruption.signal,
        onSequences: (done, pass) =>
          output.progress(
            `${nameSae(loaded)}, ${i + 1} of ${saes.length}: ${pass === "rows" ? "reading activations" : "measuring the model"} ${done}/${batches * batchSize} sequences`,
          ),
      });
      if (!Number.isFinite(evaluation.reconstruction.mse.value) || !Number.isFinite(evaluation.effect.all.sae.ce.value))
        throw new RunFailed(`Expected finite figures but found NaN: the weights in ${loaded.path} or ${found.path} are broken`);
      const config = { ...configOf(loaded), ...(await trainingOf(loaded)) };
      measured.push({ name: nameSae(loaded), config, words, evaluation });
    }
    const densities = measured.map(({ evaluation: { activity } }) => activity.density);
    const compared = measured.map((own, i): ComparedSae => {
      const foundIn = saes.map(({ config: { dIn } }, j) =>
        j === i || dIn !== saes[i]!.config.dIn
          ? null
          : stability(states[i]!, states[j]!, { alive: { a: densities[i]!, b: densities[j]! } }),
      );
      return { ...own, foundIn };
    });
    output.endProgress();
    if (flags.out !== undefined) {
      const about = { models: [...models.values()].map(describeModel), split: flags.split };
      await writeWhole(flags.out, await comparisonPage(compared, about));
      output.say(`page     ${flags.out}`);
    }
    output.result(asJson(compared, { places, flags }), `\n${describeComparison(compared)}`);
  } finally {
    output.endProgress();
    interruption.stop();
  }
}

/** The autoencoders that are asked for, each once. @throws UsageError for fewer than two. */
async function findAll(asked: readonly string[], runs: string): Promise<LoadedSae[]> {
  const found = new Map<string, LoadedSae>();
  for (const each of asked) {
    const [sae, name] = await choiceOf(each);
    for (const loaded of await findSaes({ runs, sae, name })) if (!found.has(loaded.path)) found.set(loaded.path, loaded);
  }
  if (found.size < 2)
    throw new UsageError(`Expected at least two autoencoders to compare but found ${[...found.values()].map(nameSae).join(", ")} alone`);
  return [...found.values()];
}

/** `3:k-8` is the one of run 3 that is named `k-8`, unless there is such a path. */
async function choiceOf(asked: string): Promise<[sae: string, name: string | undefined]> {
  const colon = asked.lastIndexOf(":");
  const isPath = await stat(asked).then(
    () => true,
    () => false,
  );
  return isPath || colon < 1 ? [asked, undefined] : [asked.slice(0, colon), asked.slice(colon + 1)];
}

/** How it was trained, where the run that trained it is still there. */
async function trainingOf({ path, origin }: LoadedSae): Promise<Record<string, unknown>> {
  const folder = dirname(path);
  const text = basename(folder) === origin.trainedBy ? await readIfThere(join(folder, "config.json")) : undefined;
  if (!text) return {};
  const { training, data } = JSON.parse(new TextDecoder().decode(text)) as Partial<SaeRunConfig>;
  const { chunk: _read, ...rows } = data ?? {};
  const { chunkRows: _memory, ...steps } = training ?? {}; // neither changes what comes out
  return flattened({ training: steps, data: rows });
}

function configOf({ config, origin: { hook, steps, rows } }: LoadedSae): Record<string, unknown> {
  return flattened({ hook, ...config, trained: { steps, rows } });
}

function asJson(
  compared: readonly ComparedSae[],
  { places, flags: { split } }: { readonly places: readonly Place[]; readonly flags: SaeCompareFlags },
): object {
  const saes = compared.map(({ name, config, words, evaluation: { site, reconstruction, effect, activity }, foundIn }, i) => {
    const { loaded, subject } = places[i]!;
    const { dead, alive, dense, resolvable, rows } = activity;
    const { sae, recovered } = effect.real;
    return {
      ...{ name, sae: loaded.path, hook: site, config, trainedOn: words.trainedOn },
      model: { run: subject.found.run?.name ?? null, checkpoint: subject.found.path, step: subject.found.step },
      ...{ sequences: effect.sequences, rows, fve: reconstruction.fve, l0: reconstruction.l0, mse: reconstruction.mse },
      ...{ deltaCe: sae.deltaCe, kl: sae.kl, recovered },
      ...{ latents: activity.density.length, dead, alive, dense, resolvable },
      mmcs: foundIn.map((found) => found && { aInB: found.mmcs.aInB, bInA: found.mmcs.bInA }),
    };
  });
  return { split, saes };
}

function wholeNumber(given: string): number {
  if (!/^[1-9]\d{0,8}$/.test(given)) throw new InvalidArgumentError(`Expected a whole number from 1 but found "${given}".`);
  return Number(given);
}
