import process from "node:process";
import { main } from "./cli.ts";

// Nobody reads any more (`| head`, a closed terminal): no reason to lose a run.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

// The process ends here and not when the event loop is empty: a GPU driver's threads may keep it alive.
process.exit(await main(process.argv.slice(2)));
