import type { VNode } from "preact";
import { count, percent } from "../../app/format.ts";
import type { SaeLook } from "../../engine/train_probe.ts";

interface Props {
  readonly look: SaeLook;
  /** The watched feature. */
  readonly chosen: number;
  readonly onFeature: (feature: number) => void;
}

const COLUMNS = 32;

/** Every feature as a cell: the stronger its colour, the more of the ink it fires on; dead ones are hollow. Arrow keys choose one. */
export function FeatureMap({ look: { density, dead }, chosen, onFeature }: Props): VNode {
  const columns = Math.min(COLUMNS, density.length);
  const rows = Math.ceil(density.length / columns);
  const gone = dead.reduce((sum, flag) => sum + flag, 0);
  const silent = density.filter((share, i) => share === 0 && !dead[i]).length;
  const choose = (next: number): void => onFeature(Math.max(0, Math.min(density.length - 1, next)));
  const onKeyDown = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -8 * columns, PageDown: 8 * columns }; // biome-ignore format: one line
    const step = steps[event.key];
    if (step !== undefined) choose(chosen + step);
    else if (event.key === "Home") choose(0);
    else if (event.key === "End") choose(density.length - 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="feature-map">
      <p class="small">
        <b>{count(density.length - gone - silent)}</b> of {count(density.length)} features fire on this ink, <b>{count(silent)}</b> others
        have fired of late, <b>{count(gone)}</b> are dead.
      </p>
      <div
        role="slider"
        tabIndex={0}
        aria-label="Watched feature"
        aria-valuemin={0}
        aria-valuemax={density.length - 1}
        aria-valuenow={chosen}
        aria-valuetext={`feature ${chosen}, ${stateOf(chosen, { density, dead })}`}
        onKeyDown={onKeyDown}
        onClick={({ target }) => {
          const cell = (target as Element).closest<SVGElement>("[data-feature]");
          if (cell) choose(Number(cell.dataset.feature));
        }}
      >
        <svg viewBox={`0 0 ${columns} ${rows}`} aria-hidden="true">
          {density.map((share, i) => (
            <rect
              key={i}
              x={(i % columns) + 0.06}
              y={Math.floor(i / columns) + 0.06}
              width={0.88}
              height={0.88}
              rx={0.12}
              class={dead[i] ? "dead" : share > 0 ? "fires" : "silent"}
              fill-opacity={share > 0 && !dead[i] ? shade(share) : undefined}
              data-feature={i}
            >
              <title>{`feature ${i}, ${stateOf(i, { density, dead })}`}</title>
            </rect>
          ))}
          <rect class="chosen" x={chosen % columns} y={Math.floor(chosen / columns)} width={1} height={1} rx={0.16} pointer-events="none" />
        </svg>
      </div>
      <p class="map-legend small muted">
        <span>
          <i class="fires faint" /> fires on 0.1 %
        </span>
        <span>
          <i class="fires" /> on 30 % of the ink
        </span>
        <span>
          <i class="silent" /> not on this ink
        </span>
        <span>
          <i class="dead" /> dead
        </span>
      </p>
    </div>
  );
}

/** From 0.1 % to 30 % of the ink, by the logarithm. */
function shade(share: number): number {
  const place = (Math.log10(share) + 3) / (Math.log10(0.3) + 3);
  return 0.25 + 0.75 * Math.min(1, Math.max(0, place));
}

function stateOf(i: number, { density, dead }: Pick<SaeLook, "density" | "dead">): string {
  if (dead[i]) return "dead";
  return density[i]! > 0 ? `fires on ${percent(density[i]!)} of the ink` : "silent on this ink";
}
