import type { FeatureOverview } from "@cursive/sae/dashboard";
import type { LabelStore } from "@cursive/sae/dashboard/view";
import { useSignal } from "@preact/signals";
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";

/** What {@link Shell} frames. */
export interface ShellProps {
  readonly overview: Promise<FeatureOverview>;
  readonly labels: LabelStore;
  readonly homeHref: string;
  readonly children: ComponentChildren;
}

const themes = ["system", "light", "dark"] as const;

/** The page around the features: its title, labels to take away, the theme. */
export function Shell({ overview, labels, homeHref, children }: ShellProps): VNode {
  const [title, setTitle] = useState("Features");
  const theme = useSignal<(typeof themes)[number]>("system");
  useEffect(() => {
    overview.then(
      ({ about }) => {
        setTitle(about.title);
        document.title = about.title;
      },
      () => undefined, // the browser of features says why
    );
  }, [overview]);
  useEffect(() => {
    document.documentElement.style.colorScheme = theme.value === "system" ? "" : theme.value;
  }, [theme.value]);
  return (
    <>
      <header class="page-header">
        <h1>
          <a href={homeHref}>{title}</a>
        </h1>
        {labels.labels.value.size > 0 && (
          <button type="button" onClick={() => download("labels.json", labels.toJson())}>
            Export {labels.labels.value.size} {labels.labels.value.size === 1 ? "label" : "labels"}
          </button>
        )}
        <label>
          Theme
          <select
            value={theme.value}
            onChange={({ currentTarget }) => {
              theme.value = currentTarget.value as (typeof themes)[number];
            }}
          >
            {themes.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      </header>
      <main>{children}</main>
    </>
  );
}

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}
