import type { ComponentChildren, VNode } from "preact";

/** What {@link Panel} frames. */
export interface PanelProps {
  readonly title: string;
  /** What it shows, in a sentence. */
  readonly about?: string;
  readonly children: ComponentChildren;
}

/** A part of a feature's page under its name. */
export function Panel({ title, about, children }: PanelProps): VNode {
  return (
    <section class="fv-panel">
      <h3>{title}</h3>
      {about && <p class="fv-note">{about}</p>}
      {children}
    </section>
  );
}
