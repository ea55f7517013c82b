/** What a call is given besides its request: how to tell of its progress, and whether to stop. */
export interface CallContext<P = never> {
  /** Sends something to the page while the call goes on. */
  readonly report: (progress: P) => void;
  /** Asks to stop; a call that hears it throws its reason. */
  readonly signal: AbortSignal;
}
