import { InvalidArgumentError } from "commander";

/** Reads a whole number of a range from an option. @throws InvalidArgumentError, one line that says what was expected. */
export function wholeNumber(least: number, most: number): (given: string) => number {
  return (given) => {
    const value = Number(given);
    if (!/^\d+$/.test(given) || value < least || value > most)
      throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most} but found "${given}".`);
    return value;
  };
}

/** Reads a sampling temperature from an option. @throws InvalidArgumentError, one line that says what was expected. */
export function temperature(given: string): number {
  const value = given.trim() === "" ? Number.NaN : Number(given);
  if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) throw new InvalidArgumentError(`Expected a number from 0 but found "${given}".`);
  return value;
}
