/**
 * Starts a script of the app's own as a worker that has the page's content security policy. A worker of an address takes its policy from that
 * address's response, and file servers send none; one of a `blob:` takes the policy of who made it. So the worker is a blob whose only line
 * imports the script.
 *
 * @param script - Relative to the page.
 */
export function startWorker(script: string, options: { readonly name: string }): Worker {
  const address = new URL(script, document.baseURI).href;
  const blob = new Blob([`import ${JSON.stringify(address)};`], { type: "text/javascript" });
  // The blob's address is not taken back: a worker reads it some time after it was made.
  return new Worker(URL.createObjectURL(blob), { type: "module", name: options.name });
}
