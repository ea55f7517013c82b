/** Who takes turns: something that takes so long each time. */
export interface Contestant {
  /** Takes a turn and gives its time, or undefined once it takes no more. */
  turn(): Promise<number | undefined>;
}

/** What taking turns gave: each contestant's times in the order of the rounds, and the controls' by round. */
export interface Turns {
  readonly times: readonly (readonly number[])[];
  /** For each control, for each round, its times before, between and after the contestants' turns. */
  readonly controls: readonly (readonly (readonly number[])[])[];
}

/**
 * Lets contestants take turns, a turn each in every round, so that what changes on the machine meanwhile changes for all of them. Each round
 * starts with another contestant, for the one before may leave a warm or a throttled processor behind. The controls take theirs before, between and after all
 * turns.
 */
export async function takeTurns(
  contestants: readonly Contestant[],
  options: { readonly rounds: number; readonly controls?: readonly Contestant[]; readonly onRound?: (round: number) => void },
): Promise<Turns> {
  const { rounds, controls = [], onRound } = options;
  const times: number[][] = contestants.map(() => []);
  const controlTimes: number[][][] = controls.map(() => []);
  const measureControls = async (): Promise<void> => {
    for (const [i, control] of controls.entries()) {
      const time = await control.turn();
      if (time !== undefined) controlTimes[i]!.at(-1)!.push(time);
    }
  };
  for (let round = 0; round < rounds; round++) {
    onRound?.(round);
    for (const perRound of controlTimes) perRound.push([]);
    for (let i = 0; i < contestants.length; i++) {
      await measureControls();
      const index = (i + round) % contestants.length;
      const time = await contestants[index]!.turn();
      if (time !== undefined) times[index]!.push(time);
    }
    await measureControls();
  }
  return { times, controls: controlTimes };
}
