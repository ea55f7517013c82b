// `pnpm demo`: builds the app, serves it, and builds it again when its code changes. `--port 8080` for another port.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildApp } from "./build.mjs";
import { policyOf, serveFolder } from "./static_server.mjs";

const { values } = parseArgs({ options: { port: { type: "string", default: "8123" } } });
const folder = join(fileURLToPath(new URL(".", import.meta.url)), "dist");
await buildApp(folder, { watch: true, onBuilt: () => console.log(`built at ${new Date().toLocaleTimeString("en-GB")}`) });
const { url } = await serveFolder(folder, { port: Number(values.port), policy: policyOf(folder) });
console.log(`The neuroscope is at ${url} until Ctrl-C. Changed code is built at once; load the page again to see it.`);
