import type { ReportData, ReportSheets } from "../report_data.ts";

/** Milliseconds a sheet stays while the slider plays. */
const PLAY_MILLISECONDS = 700;

/** The samples section: a slider over the steps at which some run drew, a sheet of each run. */
export function showSamples(section: HTMLElement, { data, sheets }: { readonly data: ReportData; readonly sheets: ReportSheets }): void {
  const steps = [...new Set(data.runs.flatMap((run) => run.samples.map(({ step }) => step)))].sort((a, b) => a - b);
  if (steps.length === 0) return;
  const slider = section.querySelector<HTMLInputElement>("input[type=range]")!;
  const output = section.querySelector("output")!;
  const play = section.querySelector<HTMLButtonElement>("button[data-act=play]")!;
  const cards = [...section.querySelectorAll<HTMLElement>("[data-sheet]")];
  let timer: ReturnType<typeof setInterval> | undefined;

  const show = (): void => {
    const step = steps[Number(slider.value)]!;
    const text = `step ${step.toLocaleString("en")}`;
    output.textContent = text;
    slider.setAttribute("aria-valuetext", text);
    for (const [i, card] of cards.entries()) {
      const run = data.runs[i]!;
      const sheet = run.samples.findLast((sample) => sample.step <= step);
      const picture = card.querySelector("img")!;
      picture.hidden = !sheet;
      picture.alt = sheet ? `What ${run.name} writes after ${sheet.step} steps` : "";
      if (sheet) picture.src = `data:image/svg+xml,${encodeURIComponent(sheets[sheet.sheet]!)}`;
      card.querySelector("[data-step]")!.textContent = sheet ? `step ${sheet.step.toLocaleString("en")}` : "nothing yet";
    }
  };
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "Play";
    play.setAttribute("aria-pressed", "false");
  };
  const move = (by: number): void => {
    slider.value = String(Number(slider.value) + by);
    show();
  };
  const start = (): void => {
    if (Number(slider.value) === steps.length - 1) slider.value = "0";
    show();
    play.textContent = "Pause";
    play.setAttribute("aria-pressed", "true");
    timer = setInterval(() => {
      move(1);
      if (Number(slider.value) === steps.length - 1) stop();
    }, PLAY_MILLISECONDS);
  };

  slider.max = String(steps.length - 1);
  slider.value = slider.max;
  slider.addEventListener("input", () => {
    stop();
    show();
  });
  play.addEventListener("click", () => (timer === undefined ? start() : stop()));
  section.querySelector("[data-act=back]")!.addEventListener("click", () => move(-1));
  section.querySelector("[data-act=on]")!.addEventListener("click", () => move(1));
  show();
}

/** The sheets, which stand in the page compressed. */
export async function readSheets(base64: string): Promise<ReportSheets> {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return (await new Response(stream).json()) as ReportSheets;
}
