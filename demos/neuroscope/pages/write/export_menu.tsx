import type { VNode } from "preact";
import { useRef } from "preact/hooks";
import { showToast } from "../../app/announce.ts";
import { download, type Export, exportJson, exportName, exportPng, exportSvg } from "./export.ts";

interface Props {
  readonly isEnabled: boolean;
  readonly source: () => Export;
}

/** Saves the writing as a picture or as data. */
export function ExportMenu({ isEnabled, source }: Props): VNode {
  const menu = useRef<HTMLDetailsElement>(null);
  const save = async (ending: "svg" | "png" | "json"): Promise<void> => {
    if (menu.current) menu.current.open = false;
    const from = source();
    try {
      const content = ending === "svg" ? exportSvg(from) : ending === "png" ? await exportPng(from) : exportJson(from);
      download(content, exportName(from.words, ending));
    } catch (error) {
      showToast(`Nothing was saved. ${(error as Error).message}`);
    }
  };
  if (!isEnabled)
    return (
      <button type="button" disabled>
        Save as ▾
      </button>
    );
  return (
    <details class="menu" ref={menu}>
      <summary class="button">Save as</summary>
      <div class="menu-body export-body">
        <button type="button" onClick={() => void save("svg")}>
          SVG <span class="muted">lines that scale</span>
        </button>
        <button type="button" onClick={() => void save("png")}>
          PNG <span class="muted">a picture on white</span>
        </button>
        <button type="button" onClick={() => void save("json")}>
          JSON <span class="muted">tokens and points</span>
        </button>
      </div>
    </details>
  );
}
