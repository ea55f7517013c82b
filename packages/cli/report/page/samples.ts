import type { ReportData, ReportSheet, ReportSheets, SheetWord } from "../report_data.ts";

/** Milliseconds a sheet stays while the slider plays. */
const PLAY_MILLISECONDS = 700;

/** The samples section once its sheets are there. */
export interface Samples {
  /** Draws the sheets again, in the colours that hold now. */
  redraw(): void;
}

/** Fills the samples section: a slider over the steps at which some run drew, and what each run wrote then. */
export function showSamples(section: HTMLElement, { data, sheets }: { readonly data: ReportData; readonly sheets: ReportSheets }): Samples {
  const steps = [...new Set(data.runs.flatMap((run) => run.samples.map(({ step }) => step)))].sort((a, b) => a - b);
  if (steps.length === 0) return { redraw: () => {} };
  const slider = section.querySelector<HTMLInputElement>("input[type=range]")!;
  const output = section.querySelector("output")!;
  const play = section.querySelector<HTMLButtonElement>("button[data-act=play]")!;
  const cards = [...section.querySelectorAll<HTMLElement>("[data-sheet]")];
  const room = usualBox(data.runs.flatMap(({ samples }) => samples.slice(-3)).map(({ sheet }) => sheets[sheet]!));
  let timer: ReturnType<typeof setInterval> | undefined;

  const show = (): void => {
    const step = steps[Number(slider.value)]!;
    const text = `step ${step.toLocaleString("en")}`;
    output.textContent = text;
    slider.setAttribute("aria-valuetext", text);
    for (const [i, card] of cards.entries()) {
      const run = data.runs[i]!;
      const sample = run.samples.findLast((each) => each.step <= step);
      card.querySelector("[data-step]")!.textContent = sample ? `step ${sample.step.toLocaleString("en")}` : "nothing yet";
      const about = sample ? `written by ${run.name} after ${sample.step} steps` : "";
      card.querySelector(".words")!.replaceChildren(...(sample ? drawSheet(sheets[sample.sheet]!, { room, about }) : []));
    }
  };
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "Play";
  };
  const move = (by: number): void => {
    slider.value = String(Number(slider.value) + by);
    show();
  };
  const start = (): void => {
    if (Number(slider.value) === steps.length - 1) slider.value = "0";
    show();
    play.textContent = "Pause";
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
  return { redraw: show };
}

/** Pictures are images from SVG text, in which nothing can run, whatever it holds. */
function drawSheet(sheet: ReportSheet, { room, about }: { readonly room: SheetWord["box"]; readonly about: string }): Element[] {
  if ("svg" in sheet) return [picture(sheet.svg, { alt: `sheet ${about}`, isWhole: true })];
  const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  return sheet.words.map(({ caption, body, box }) => {
    // The usual room for all, so that scale and place stay while steps go by; more for what would not fit.
    const [left, top, right, bottom] = room.map((side, i) => (i < 2 ? Math.min(side, box[i]!) : Math.max(side, box[i]!))) as [
      number,
      number,
      number,
      number,
    ];
    const view = `viewBox="${left} ${top} ${right - left} ${bottom - top}" width="${300 * (right - left)}" height="${300 * (bottom - top)}"`;
    const figure = document.createElement("figure");
    const text = document.createElement("figcaption");
    text.className = "word-text";
    text.textContent = caption;
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${view} color="${ink}">${body}</svg>`;
    figure.append(picture(svg, { alt: `“${caption}” ${about}`, isWhole: false }), text);
    figure.querySelector("img")!.style.aspectRatio = `${room[2] - room[0]} / ${room[3] - room[1]}`;
    return figure;
  });
}

function picture(svg: string, { alt, isWhole }: { alt: string; isWhole: boolean }): HTMLImageElement {
  const image = document.createElement("img");
  image.alt = alt;
  image.className = isWhole ? "whole" : "word";
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  return image;
}

/** A box that has room for most words, though not for each that went astray. */
function usualBox(sheets: readonly ReportSheet[]): SheetWord["box"] {
  const boxes = sheets.flatMap((sheet) => ("words" in sheet ? sheet.words.map(({ box }) => box) : []));
  if (boxes.length === 0) return [0, -0.3, 0.6, 0.2];
  const quantile = (side: number, q: number): number =>
    boxes.map((box) => box[side]!).sort((a, b) => a - b)[Math.round(q * (boxes.length - 1))]!;
  return [quantile(0, 0.2), quantile(1, 0.2), quantile(2, 0.8), quantile(3, 0.8)];
}

/** The sheets, which stand in the page compressed. */
export async function readSheets(base64: string): Promise<ReportSheets> {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return (await new Response(stream).json()) as ReportSheets;
}
