// Calls a function of a module in Node or Deno and prints what it returns, as JSON.
//
//   call.ts '{ "module": "file:///…/losses.ts", "name": "losses", "args": [], "mark": "…" }'
//
// `mark` stands before the JSON: whatever is called may print, too.
import process from "node:process";

const { module, name, args, mark } = JSON.parse(process.argv[2]!);
const result = await (await import(module))[name](...args);
// A device that was left open would keep the process alive, and output that is not flushed would be lost.
process.stdout.write(`\n${mark}${JSON.stringify(result)}\n`, () => process.exit());
