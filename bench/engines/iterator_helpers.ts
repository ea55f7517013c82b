/** Gives iterators the methods that jax-js relies on and Node 20 does not have yet (ECMAScript 2025: `map`, `filter`, `some`, …). */
export function addIteratorHelpers(): void {
  const prototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as Record<string, unknown>;
  if (prototype.map) return;
  const define = (name: string, value: (this: Iterable<unknown>, f: (item: unknown, index: number) => unknown) => unknown): void => {
    Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
  };
  define("map", function* (f) {
    let i = 0;
    for (const item of this) yield f(item, i++);
  });
  define("filter", function* (f) {
    let i = 0;
    for (const item of this) if (f(item, i++)) yield item;
  });
  define("some", function (f) {
    return [...this].some(f);
  });
  define("every", function (f) {
    return [...this].every(f);
  });
  define("toArray", function () {
    return [...this];
  });
}
