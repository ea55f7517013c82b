import type { VNode } from "preact";
import { useRef } from "preact/hooks";
import { showToast } from "./announce.ts";
import { useBench } from "./bench_context.ts";

/** Opens a checkpoint of one's own in place of the model. */
export function OpenCheckpoint(): VNode {
  const bench = useBench();
  return <OpenFile label="Open a checkpoint…" name="A checkpoint's file" open={(file) => bench.openModel(file)} />;
}

/** Opens an autoencoder of the model's activations. */
export function OpenAutoencoder(): VNode {
  const bench = useBench();
  return <OpenFile label="Open an autoencoder…" name="An autoencoder's file" open={(file) => bench.openSae(file)} />;
}

interface Props {
  readonly label: string;
  /** Of the file, for screen readers. */
  readonly name: string;
  readonly open: (file: File) => Promise<void>;
}

/** A button that has a file chosen for the engine, and tells what came of it. */
function OpenFile({ label, name, open }: Props): VNode {
  const input = useRef<HTMLInputElement>(null);
  const isReady = useBench().status.value.kind === "ready";
  const take = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    try {
      await open(file);
      showToast(`${file.name} is open. It stays in this tab.`);
    } catch (error) {
      showToast(`${file.name} was not opened. ${(error as Error).message}.`);
    }
  };
  return (
    <>
      <button type="button" disabled={!isReady} onClick={() => input.current?.click()}>
        {label}
      </button>
      <input
        ref={input}
        type="file"
        accept=".safetensors"
        class="visually-hidden"
        tabIndex={-1}
        aria-label={name}
        onChange={(event) => {
          void take(event.currentTarget.files?.[0]);
          event.currentTarget.value = "";
        }}
      />
    </>
  );
}
