import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { applyOverrides } from "../config/resolve.ts";
import { gridMembers } from "../sae/grid.ts";
import { resolveSaeConfig } from "../sae/resolve_sae_config.ts";

/** A folder such as `sae train` leaves, made up: curves that fall and rise, for several autoencoders where a grid is given. */
export function madeSaeRun(
  parent: string,
  about: { readonly name: string; readonly steps: number; readonly grid?: readonly string[] },
): string {
  const { name, steps, grid } = about;
  const path = join(parent, name);
  mkdirSync(path, { recursive: true });
  const start = resolveSaeConfig("default", [{ path: "steps", value: steps, from: "test" }]).config;
  const { config } = grid ? applyOverrides(start, [{ path: "grid", value: grid, from: "test" }]) : { config: start };
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  const status = { state: "finished", step: steps, steps, pid: 1, updated: "2026-01-02T03:04:05Z" };
  writeFileSync(join(path, "status.json"), JSON.stringify(status));
  const members = gridMembers(config);
  const rows = Array.from({ length: steps }, (_, i) => {
    const figures = members.flatMap((member, m) => {
      const prefix = members.length > 1 ? `${member.name}/` : "";
      const mse = 10 / (i + 1) + m + 0.5 * Math.sin(i);
      return Object.entries({
        ...{ "losses/overall_loss": mse + 1, "losses/mse_loss": mse, "losses/auxiliary_reconstruction_loss": 1 },
        ...{ "metrics/explained_variance": 1 - 1 / (i + 2) - m / 10, "metrics/l0": 8 - m },
        ...{ "sparsity/dead_features": i % 7, "sparsity/alive_features": 512 - (i % 7), "details/current_learning_rate": 1e-3 },
      }).map(([key, value]) => [prefix + key, value]);
    });
    return {
      step: i + 1,
      "details/n_training_samples": 2048 * (i + 1),
      ...Object.fromEntries(figures),
      milliseconds: 40,
      rowsPerSecond: 51_200,
    };
  });
  writeFileSync(join(path, "metrics.jsonl"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}
