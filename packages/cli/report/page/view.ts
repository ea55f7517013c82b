/** What the reader has chosen to see. */
export interface View {
  readonly x: "step" | "time" | "tokens";
  readonly logX: boolean;
  readonly logLoss: boolean;
  /** Weight of {@link smooth}. */
  readonly smoothing: number;
  /** Whether what is smoothed shows behind as it was. */
  readonly showRaw: boolean;
  /** Which kinds of curves the chart of losses has. */
  readonly losses: ReadonlySet<string>;
  /** Positions of runs that are not drawn. */
  readonly hidden: ReadonlySet<number>;
}

/** Reads what a form and the legend's boxes say. */
export function readView(form: HTMLFormElement, legend: NodeListOf<HTMLInputElement>): View {
  const data = new FormData(form);
  return {
    x: data.get("x") as View["x"],
    logX: data.has("logX"),
    logLoss: data.has("logLoss"),
    smoothing: Number(data.get("smoothing")),
    showRaw: data.has("raw"),
    losses: new Set(data.getAll("losses").map(String)),
    hidden: new Set([...legend].flatMap((box, i) => (box.checked ? [] : [i]))),
  };
}
