import { type ReadonlySignal, useSignalEffect } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { theme } from "../app/theme.ts";
import { type InkColours, type InkPicture, paintInk } from "./paint.ts";

interface Props {
  readonly picture: Omit<InkPicture, "position">;
  /** How many movements the pen has made. Only this is followed at every frame: the component is not drawn anew for it. */
  readonly position: ReadonlySignal<number>;
  /** In CSS pixels. */
  readonly width: number;
  readonly height: number;
  /** CSS pixels a canvas height. */
  readonly scale: number;
  /** What is to be seen, in words. */
  readonly label: string;
}

/** More pixels than two for each of CSS's cost frames and show nothing. */
const MOST_PIXEL_RATIO = 2;

/** Ink with a pen that moves over it. */
export function InkCanvas({ picture, position, width, height, scale, label }: Props): VNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  const ratio = Math.min(MOST_PIXEL_RATIO, globalThis.devicePixelRatio || 1);
  const paint = useRef((_position: number): void => {});
  const colours = useRef<InkColours | undefined>(undefined);
  paint.current = (at) => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    colours.current ??= coloursOf(context.canvas);
    paintInk(context, { ...picture, position: at }, { scale: scale * ratio, colours: colours.current });
  };
  useEffect(() => paint.current(position.peek()));
  useSignalEffect(() => paint.current(position.value));
  useSignalEffect(() => {
    void theme.value;
    colours.current = undefined;
    paint.current(position.peek());
  });
  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const onChange = (): void => {
      colours.current = undefined;
      paint.current(position.peek());
    };
    dark.addEventListener("change", onChange);
    return () => dark.removeEventListener("change", onChange);
  }, [position]);
  return (
    <canvas
      ref={canvas}
      class="ink-canvas"
      width={Math.round(width * ratio)}
      height={Math.round(height * ratio)}
      style={{ width: `${width}px`, height: `${height}px` }}
      role="img"
      aria-label={label}
    />
  );
}

/** The theme's colours, in a form that canvases know: they are registered as colours in the style sheet. */
function coloursOf(element: Element): InkColours {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  return { ink: colour("--ink"), faint: colour("--ink-faint"), glow: colour("--glow"), accent: colour("--accent"), bad: colour("--bad") };
}
