import process from "node:process";

// The same program runs an engine in a process of its own, so that one file is all there is to bundle. Loaded only when needed: an engine's
// time to its first step should not pay for the bench.
const [command, ...rest] = process.argv.slice(2);
if (command === "engine") {
  const { runEngine } = await import("./engine_main.ts");
  await runEngine(JSON.parse(rest[0]!));
} else {
  const { bench } = await import("./bench.ts");
  process.exitCode = await bench(process.argv.slice(2));
}
