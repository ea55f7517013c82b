import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { theme } from "../../app/theme.ts";
import type { SegmentMap } from "./segment_map.ts";

/** Props of {@link MapCanvas}. */
export interface MapCanvasProps {
  readonly map: SegmentMap;
  /** Said by screen readers; without it the picture is decoration. */
  readonly label?: string;
}

/**
 * A map of attention, one pixel a cell and stretched by the browser: keys down, movements across, in the colour of the text around. Opacity
 * follows the root of the share: even attention to many places would otherwise be invisible.
 */
export function MapCanvas({ map, label }: MapCanvasProps): VNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  const chosen = theme.value;
  useEffect(() => {
    const paint = (): void => paintMap(canvas.current!, map);
    paint();
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", paint);
    return () => scheme.removeEventListener("change", paint);
  }, [map, chosen]);
  return <canvas ref={canvas} class="map-canvas" {...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" })} />;
}

function paintMap(canvas: HTMLCanvasElement, { shares, segments, keys }: SegmentMap): void {
  canvas.width = Math.max(1, segments);
  canvas.height = Math.max(1, keys);
  const context = canvas.getContext("2d")!;
  context.fillStyle = getComputedStyle(canvas).color;
  context.fillRect(0, 0, 1, 1);
  const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
  const image = context.createImageData(canvas.width, canvas.height);
  for (let segment = 0; segment < segments; segment++)
    for (let key = 0; key < keys; key++) {
      const alpha = Math.round(255 * Math.sqrt(Math.min(1, shares[segment * keys + key]!)));
      image.data.set([red, green, blue, alpha], 4 * (key * segments + segment));
    }
  context.putImageData(image, 0, 0);
}
