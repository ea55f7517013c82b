/** The kinds of tokens by their number in `strokeTokenClasses`, in names that stand in a list without being torn apart. */
export const tokenKinds: readonly string[] = ["direction", "length (pen down)", "length (pen up)", "WORD", "END", "PAD"];
