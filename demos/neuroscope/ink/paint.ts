import type { PenMovement } from "./polyline.ts";

/** Colours of a picture of ink. */
export interface InkColours {
  readonly ink: string;
  readonly faint: string;
  readonly glow: string;
  readonly accent: string;
  readonly bad: string;
}

/** What to paint, in canvas heights. */
export interface InkPicture {
  readonly movements: readonly PenMovement[];
  /** How many movements the pen has made; a fraction is one that it is making. */
  readonly position: number;
  /** Width of the pen. */
  readonly penWidth: number;
  /** Ink that could have been: drawn below, faintly. */
  readonly hairs: readonly (readonly PenMovement[])[];
  /** Show the pen, and where it travelled in the air. */
  readonly showPen: boolean;
}

/** Paints ink, whatever the canvas had before. `scale` is pixels a canvas height, of the canvas's own pixels. */
export function paintInk(
  context: CanvasRenderingContext2D,
  picture: InkPicture,
  options: { readonly scale: number; readonly colours: InkColours },
): void {
  const { movements, position, penWidth, hairs, showPen } = picture;
  const { scale, colours } = options;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.lineCap = "round";
  context.lineJoin = "round";

  context.lineWidth = penWidth / 2.2;
  context.strokeStyle = colours.glow;
  context.globalAlpha = hairs.length > 0 ? Math.max(0.16, 2.4 / hairs.length) : 1;
  for (const hair of hairs) {
    context.beginPath();
    trace(context, hair, hair.length);
    context.stroke();
  }
  context.globalAlpha = 1;

  context.lineWidth = penWidth;
  context.strokeStyle = colours.ink;
  context.beginPath();
  const tip = trace(context, movements, position);
  context.stroke();
  for (const { malformed, from } of movements.slice(0, Math.ceil(position)))
    if (malformed) paintCross(context, from, { penWidth, colour: colours.bad });
  if (showPen && tip) paintTip(context, tip, { penWidth, colour: colours.accent });
}

/** Follows the pen up to a position. @returns Where it is then. */
function trace(
  context: CanvasRenderingContext2D,
  movements: readonly PenMovement[],
  position: number,
): readonly [number, number] | undefined {
  let tip: readonly [number, number] | undefined = movements[0]?.from;
  let isDown = false;
  for (let i = 0; i < movements.length && i < position; i++) {
    const { places, from, drawn } = movements[i]!;
    const share = Math.min(1, position - i);
    if (!drawn) {
      isDown = false;
      tip = between(from, [places.at(-2)!, places.at(-1)!], share);
      continue;
    }
    if (!isDown) context.moveTo(from[0], from[1]);
    isDown = true;
    const pieces = places.length / 2;
    const whole = Math.floor(share * pieces);
    for (let k = 0; k < whole; k++) context.lineTo(places[2 * k]!, places[2 * k + 1]!);
    const last: readonly [number, number] = whole > 0 ? [places[2 * whole - 2]!, places[2 * whole - 1]!] : from;
    tip = last;
    if (whole < pieces) {
      tip = between(last, [places[2 * whole]!, places[2 * whole + 1]!], share * pieces - whole);
      context.lineTo(tip[0], tip[1]);
    }
  }
  return tip;
}

function between(a: readonly [number, number], b: readonly [number, number], share: number): readonly [number, number] {
  return [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])];
}

function paintTip(context: CanvasRenderingContext2D, [x, y]: readonly [number, number], about: { penWidth: number; colour: string }): void {
  context.beginPath();
  context.arc(x, y, 0.6 * about.penWidth + 0.006, 0, 2 * Math.PI);
  context.fillStyle = about.colour;
  context.fill();
}

function paintCross(
  context: CanvasRenderingContext2D,
  [x, y]: readonly [number, number],
  about: { penWidth: number; colour: string },
): void {
  const arm = 2 * about.penWidth;
  context.beginPath();
  context.moveTo(x - arm, y - arm);
  context.lineTo(x + arm, y + arm);
  context.moveTo(x - arm, y + arm);
  context.lineTo(x + arm, y - arm);
  context.lineWidth = about.penWidth;
  context.strokeStyle = about.colour;
  context.stroke();
}
