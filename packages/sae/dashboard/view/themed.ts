import { strengthColour } from "@cursive/cursive-model";

/** The colour of a strength from −1 to 1, as CSS has it, on light and on dark ground. */
export function themedColour(strength: number): string {
  return `light-dark(${strengthColour(strength)}, ${strengthColour(strength, { ground: "dark" })})`;
}
