import type { ComponentType, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Page } from "./pages.ts";

interface Props {
  readonly page: Page;
}

type Loaded = { readonly page: Page; readonly component?: ComponentType; readonly error?: Error };

const known = new Map<Page, ComponentType>();

/** A page, once its code is there. @throws While rendering, for an error boundary, if the code does not come. */
export function PageContent({ page }: Props): VNode | null {
  const [loaded, setLoaded] = useState<Loaded | undefined>(undefined);
  useEffect(() => {
    if (known.has(page)) return;
    page.load().then(
      (component) => {
        known.set(page, component);
        setLoaded({ page, component });
      },
      (error: Error) => setLoaded({ page, error }),
    );
  }, [page]);
  if (loaded?.page === page && loaded.error) throw loaded.error;
  const Component = known.get(page);
  return Component ? <Component /> : null;
}
