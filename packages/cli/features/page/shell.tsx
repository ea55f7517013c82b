import type { FeatureOverview } from "@cursive/sae/dashboard";
import { useSignal } from "@preact/signals";
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";

/** What {@link Shell} frames. */
export interface ShellProps {
  readonly overview: Promise<FeatureOverview>;
  readonly homeHref: string;
  readonly children: ComponentChildren;
}

const themes = ["system", "light", "dark"] as const;

/** The page around the features: its title, the theme. */
export function Shell({ overview, homeHref, children }: ShellProps): VNode {
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
