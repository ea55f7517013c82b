import type { Opening } from "../../engine/opening.ts";
import type { WriteSession } from "./write_session.ts";

/**
 * Loads the recorded writing and shows it, if nothing is shown yet. It is no more than a pastime: where it does not come, nothing is said.
 * @returns Whether it is shown.
 */
export async function loadOpening(session: WriteSession): Promise<boolean> {
  if (session.words.peek().length > 0) return false;
  try {
    const response = await fetch("assets/opening.json");
    if (!response.ok) return false;
    session.showOpening((await response.json()) as Opening);
    return session.isRecorded.peek();
  } catch {
    return false;
  }
}
