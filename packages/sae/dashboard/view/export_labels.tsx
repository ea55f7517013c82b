import type { VNode } from "preact";
import type { LabelStore } from "./label_store.ts";

/** Hands one's own labels over as a file, where there are any. */
export function ExportLabels({ labels }: { readonly labels: LabelStore }): VNode | null {
  const { size } = labels.labels.value;
  if (size === 0) return null;
  return (
    <button type="button" onClick={() => download("labels.json", labels.toJson())}>
      Export {size} {size === 1 ? "label" : "labels"}
    </button>
  );
}

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // some browsers read it late
}
