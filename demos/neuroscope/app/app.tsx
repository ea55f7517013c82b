import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import { announcement, toast } from "./announce.ts";
import { useBench } from "./bench_context.ts";
import { ErrorBoundary } from "./error_boundary.tsx";
import { FailureNotice } from "./failure_notice.tsx";
import { Header } from "./header.tsx";
import { HelpDialog, isHelpOpen } from "./help_dialog.tsx";
import { listenForShortcuts, useShortcuts } from "./keys.ts";
import { Navigation } from "./navigation.tsx";
import { PageContent } from "./page_content.tsx";
import { pageNamed, pages } from "./pages.ts";
import { followAddress, goBackTo, pageName } from "./route.ts";

/** The whole app: header, pages, help, and what is said aloud. */
export function App(): VNode {
  const bench = useBench();
  const page = pageNamed(pageName.value);
  const status = bench.status.value;
  useEffect(() => {
    void bench.start();
    const stops = [followAddress(), listenForShortcuts()];
    return () => {
      for (const stop of stops) stop();
    };
  }, [bench]);
  useEffect(() => {
    document.title = `${page.title} · Neuroscope`;
  }, [page]);
  useShortcuts("Everywhere", [
    ...pages.map(({ key, name, title }) => ({ key, does: title, run: () => goBackTo(name) })),
    {
      key: "?",
      does: "This help",
      run: () => {
        isHelpOpen.value = true;
      },
    },
  ]);
  return (
    <>
      <button type="button" class="skip-link" onClick={() => document.getElementById("content")?.focus()}>
        Skip to the page
      </button>
      <Header />
      <Navigation current={page.name} />
      <main id="content" tabIndex={-1} data-engine={status.kind}>
        {status.kind === "failed" && <FailureNotice failure={status.failure} onRestart={() => void bench.start()} />}
        <ErrorBoundary key={page.name}>
          <PageContent page={page} />
        </ErrorBoundary>
      </main>
      <HelpDialog />
      <div class="toast" hidden={toast.value === ""}>
        {toast}
      </div>
      <div class="visually-hidden" aria-live="polite" role="status">
        {announcement}
      </div>
    </>
  );
}
