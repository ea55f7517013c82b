import type { VNode } from "preact";
import { showToast } from "../../app/announce.ts";
import { Menu } from "../../app/menu.tsx";
import { download, type Export, exportJson, exportName, exportPng, exportSvg } from "./export.ts";

interface Props {
  readonly isEnabled: boolean;
  readonly source: () => Export;
}

const kinds = [
  { ending: "svg", about: "lines that scale" },
  { ending: "png", about: "a picture on white" },
  { ending: "json", about: "tokens and points" },
] as const;

/** Saves the writing as a picture or as data. */
export function ExportMenu({ isEnabled, source }: Props): VNode {
  const save = async (ending: "svg" | "png" | "json"): Promise<void> => {
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
    <Menu summary="Save as" summaryClass="button" bodyClass="export-body">
      {(close) =>
        kinds.map(({ ending, about }) => (
          <button
            key={ending}
            type="button"
            onClick={() => {
              close();
              void save(ending);
            }}
          >
            {ending.toUpperCase()} <span class="muted">{about}</span>
          </button>
        ))
      }
    </Menu>
  );
}
