import { LiveRows, NoRowsError } from "@cursive/sae";
import { UsageError } from "../errors.ts";

/** {@link LiveRows} whose refusal names the key of the configuration that chose them. */
export class WantedRows extends LiveRows {
  override async next(): ReturnType<LiveRows["next"]> {
    try {
      return await super.next();
    } catch (error) {
      if (!(error instanceof NoRowsError)) throw error;
      throw new UsageError("Expected tokens of the kinds in data.tokens but found none in the words");
    }
  }
}
