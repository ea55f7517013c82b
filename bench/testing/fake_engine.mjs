// An engine that computes nothing: speaks the bench's protocol, and misbehaves as asked by its arguments (name=value).
import { createInterface } from "node:readline";

const options = Object.fromEntries(process.argv.slice(2).map((argument) => argument.split("=")));
const reply = (message) => console.log(`@bench ${JSON.stringify(message)}`);
const loss = Number(options.loss ?? 1);

console.log("a library's banner");
if (options.crash === "start") {
  console.error("Error: no such thing\n    at nowhere\n\nNode.js v20");
  process.exit(3);
}
if (options.fail === "start") reply({ failed: "out of something" });
if (options.hang !== "start") reply({ ready: { adapter: "fake", versions: { fake: "1.0" }, loss, check: null } });
let turns = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  if (request.do === "quit") break;
  if (request.do === "host") reply({ host: { microseconds: 12 } });
  if (request.do === "steps") {
    turns++;
    if (options.fail === String(turns)) reply({ failed: `failed in turn ${turns}` });
    console.log("a line of its own");
    if (options.hang !== String(turns)) {
      const counts = { dispatches: 3, submits: 1, buffers: 0, bindGroups: 0, pipelines: 0 };
      reply({ steps: { milliseconds: Number(options.ms ?? 100) * request.count, cpuMilliseconds: 1.5 * request.count, loss, counts } });
    }
  }
}
process.exit(0);
