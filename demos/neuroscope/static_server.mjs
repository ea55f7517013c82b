// A file server for a built app: what it takes to look at it, and no more.
import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

/** @type {Readonly<Record<string, string>>} */
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
  ".woff2": "font/woff2",
  ".map": "application/json",
};

/**
 * The content security policy that a folder's page states. Sent with everything else, it holds for workers too, which know no page.
 *
 * @param {string} folder
 */
export function policyOf(folder) {
  const [, policy] =
    /http-equiv="Content-Security-Policy"\s+content="([^"]+)"/.exec(readFileSync(join(folder, "index.html"), "utf8")) ?? [];
  if (policy === undefined) throw new Error(`Expected a Content-Security-Policy in ${join(folder, "index.html")} but found none`);
  return policy;
}

/**
 * Serves a folder on this machine.
 *
 * @param {string} folder
 * @param {{ port?: number, policy?: string }} [options] port 0, the default, takes any that is free; the policy is sent with everything but
 *   HTML, which states its own
 * @returns {Promise<{ url: string, close: () => Promise<void> }>}
 */
export async function serveFolder(folder, { port = 0, policy } = {}) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    let path = "";
    try {
      path = join(folder, normalize(decodeURIComponent(pathname)));
      if (statSync(path).isDirectory()) path = join(path, "index.html");
      const { size } = statSync(path);
      const type = TYPES[extname(path)] ?? "application/octet-stream";
      const guard = policy !== undefined && extname(path) !== ".html" ? { "content-security-policy": policy } : {};
      response.writeHead(200, { "content-type": type, "content-length": size, "cache-control": "no-cache", ...guard });
      createReadStream(path).pipe(response);
    } catch {
      response.writeHead(404, { "content-type": "text/plain" }).end(`Expected a file at ${pathname} but found none\n`);
    }
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve(undefined));
  });
  const { port: taken } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://localhost:${taken}/`,
    close: () => new Promise((resolve) => server.close(() => resolve()) && server.closeAllConnections()),
  };
}
