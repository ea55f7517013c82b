// What a person sees while something is fetched: lines on stderr, and one line that counts where stderr is a terminal.

/** @param {string} message */
export function say(message) {
  process.stderr.write(`${message}\n`);
}

/**
 * Shows a download's progress: in place on a terminal, at every quarter elsewhere.
 *
 * @param {string} what
 * @returns {(done: number, total: number) => void} takes bytes
 */
export function progress(what) {
  let shown = "";
  return (done, total) => {
    const share = total > 0 ? Math.min(1, done / total) : 0;
    const line = process.stderr.isTTY
      ? `  ${what}: ${megabytes(Math.min(done, total))} of ${megabytes(total)} MB`
      : `  ${what}: ${Math.floor(share * 4) * 25} % of ${megabytes(total)} MB`;
    if (line === shown) return;
    shown = line;
    process.stderr.write(process.stderr.isTTY ? `\r${line}${share === 1 ? "\n" : ""}` : `${line}\n`);
  };
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(0);
}
