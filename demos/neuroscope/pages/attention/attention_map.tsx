import type { VNode } from "preact";
import type { Focus } from "./focus.ts";
import { MapCanvas } from "./map_canvas.tsx";
import type { SegmentMap } from "./segment_map.ts";

/** Props of {@link AttentionMapView}. */
export interface AttentionMapProps {
  readonly map: SegmentMap;
  /** The letters of the text; undefined where ink is what is looked at. */
  readonly letters: readonly string[] | undefined;
  readonly focus: Focus;
  readonly label: string;
  readonly onHover: (focus: Focus) => void;
  readonly onChoose: (focus: Focus) => void;
}

/** One head's map, large: what is looked at down, movements of the pen across. Pointing at a cell points at its movement, at a label at its letter. */
export function AttentionMapView({ map, letters, focus, label, onHover, onChoose }: AttentionMapProps): VNode {
  const segmentAt = (event: PointerEvent | MouseEvent): Focus => {
    const { left, width } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const index = Math.floor(((event.clientX - left) / width) * map.segments);
    return { kind: "segment", index: Math.max(0, Math.min(map.segments - 1, index)) };
  };
  const share = (part: number, whole: number): string => `${(100 * part) / whole}%`;
  const names = letters && [...letters.map((letter) => (letter === " " ? "␣" : letter)), "pad"];
  return (
    <div class={`attention-map${letters ? "" : " is-self"}`}>
      {names ? (
        <div class="attention-map-names" aria-hidden="true">
          {names.map((name, i) => (
            <span key={i} class={name === "pad" ? "is-padding" : ""}>
              {name}
            </span>
          ))}
        </div>
      ) : (
        <div class="attention-map-axis" aria-hidden="true">
          <span>first</span>
          <span>last</span>
        </div>
      )}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the slider and the letters reach everything by keyboard */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: see above */}
      <div
        class="attention-map-cells"
        onPointerMove={(event) => event.pointerType !== "touch" && onHover(segmentAt(event))}
        onPointerLeave={() => onHover(null)}
        onClick={(event) => onChoose(segmentAt(event))}
      >
        <MapCanvas map={map} label={label} />
        {focus?.kind === "segment" && (
          <div class="attention-map-column" style={{ left: share(focus.index, map.segments), width: share(1, map.segments) }} />
        )}
        {focus?.kind === "letter" && letters && (
          <div class="attention-map-row" style={{ top: share(focus.index, map.keys), height: share(1, map.keys) }} />
        )}
      </div>
      <div class="attention-map-caption small muted">movements of the pen, first to last</div>
    </div>
  );
}
