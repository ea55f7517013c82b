import { type FeatureSource, featureCallback, featureFileSource } from "@cursive/sae/dashboard";

/**
 * The features in the folder `data` beside the page. Its files are scripts that call one function, since a page opened from a disk may run
 * scripts but not fetch.
 */
export function openFeatureFolder(): FeatureSource {
  const given = new Map<string, unknown>();
  (globalThis as Record<string, unknown>)[featureCallback] = (name: string, value: unknown): void => {
    given.set(name, value);
  };
  return featureFileSource(
    (file) =>
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `data/${file}`;
        script.onload = () => {
          const name = file.replace(/\.js$/, "");
          script.remove();
          if (given.has(name)) resolve(given.get(name));
          else reject(new Error(`Expected data/${file} to hold ${name} but found something else`));
          given.delete(name);
        };
        script.onerror = () => {
          script.remove();
          reject(new Error(`Expected a file data/${file} beside this page but found none`));
        };
        document.head.append(script);
      }),
  );
}
