import process from "node:process";
import { main } from "./cli.ts";

// The process ends here and not when the event loop is empty: a GPU driver's threads may keep it alive.
process.exit(await main(process.argv.slice(2)));
