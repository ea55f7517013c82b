import { cursiveCharacters, makeWords } from "@cursive/cursive-model";
import { createRng, type Rng } from "@cursive/tensor";

/** Texts among which the next prompt is chosen. */
const CANDIDATES = 24;

/** Words that can be read aloud, with every letter in several of them, the seldom ones too. */
const words =
  `a ace act add age aim air and ant ape arc arm art ask at axe back badge bake ball band bank barn bath beach bead bean bed bell
big bird black blaze blow blue boat bone book box boy brave bread brick bring brook brown brush buzz cab cage cake calm camp card cave chalk
chess chin city clay clock cloud club coal cobweb coin cold cook copper coral corn cozy crab cream crisp crow cube cup curve dance dark day
deck deep desk dice dig dish dizzy dog door dove dozen draw dream drift drum duck dusk dust eagle ear earth east echo edge egg elbow engine
enjoy equal evening exact exit extra eye fable face fair farm feather fence fern few field fig film find fire fish fizz flag flame flax flock
flow fog fold forest fork fox frame fresh frog frost full funny game garden gate ghost gift giraffe give glad glass glove goat gold grape
green grey guess guitar habit hail half hand harp hat have hawk hay hazel heart hedge help hey high hill hive holly home honey hook hope horse
house huge ice idea ink iron island ivory jacket jade jam jaw jazz jelly jetty jewel job join joke jolly journey joy jug juice jump june jury
just kayak keen keep kettle key kick kind king kite kitten kiwi knee knife knot lake lamp large laugh leaf lemon letter lily lime linen lion
lizard lock loud lucky lunch lynx magic map maple market maze meadow melody milk mill mind minute mix mood moon moth mouse movie music
nature navy neck nest new nice night noise north nose nova number nut oak oasis ocean olive onion opaque open orange orbit otter oven owl ox
page paint panda paper park path peach pearl pen pepper piano pilot pine plum poem polka pond poppy prize puzzle quack quail quartz queen
quest queue quick quiet quill quilt quite quiz quota rabbit rain raven razor relax ribbon rice ring river road robin rock rope rose round ruby
rug sail salt sand sax scarf school sea seven shade shell ship sing six sky sleep smile smoke snow sofa song soup south spice spoon spring
squad squash squid star stem stone story sugar sun swan sweet swim table tango taxi tea tenor text thank thick three thumb tide tiger toast
topaz tower town toy train tree trio truly tulip turn twelve two umbrella under unit until up upon urban use valley value van vase velvet
verb very vest vex view village vine viola violet visit vivid voice wagon walk waltz warm water wave wax wedge week west whale wheat wheel
white wide wild willow wind wing winter wish wolf wood wool word wren write yacht yard yarn year yellow yes yield yoga young yoyo zebra
zephyr zero zest zigzag zinc zip zone zoo zoom`.split(/\s+/);

/** How often each character has been written. */
export function countCharacters(texts: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const character of texts.join("")) counts.set(character, (counts.get(character) ?? 0) + 1);
  return counts;
}

/**
 * A word to write next: of several the one whose letters have been written least, so that all letters come about equally often. The same number
 * and the same words so far give the same prompt. They are words that one can say, in capitals too where there are capitals; beside them
 * made-up texts, for figures and marks, and where no word can be spelled.
 *
 * @param options.number how many prompts there were before, skipped ones too
 * @throws {RangeError} where no word can be made of the characters.
 * @example
 * ```ts
 * nextPrompt({ number: 0, written: [], characters: "abcdefghijklmnopqrstuvwxyz", longest: 8 }); // "opaque"
 * ```
 */
export function nextPrompt(options: {
  readonly number: number;
  readonly written: readonly string[];
  readonly characters: string;
  readonly longest: number;
}): string {
  const { number, written, characters, longest } = options;
  const counts = countCharacters(written);
  const known = [...new Set(characters)].filter((character) => cursiveCharacters.includes(character)).join("");
  /** How much a text's letters are wanted: one never written counts 1, one written n times 1 / (1 + n). */
  const need = (text: string): number => {
    const own = [...new Set(text)];
    return own.reduce((sum, character) => sum + 1 / (1 + (counts.get(character) ?? 0)), 0) / Math.sqrt([...text].length);
  };
  const spoken = drawn(
    spellable({ known, longest }).filter((text) => !written.includes(text)),
    createRng(number, "prompts"),
  );
  const texts = [...spoken, ...madeUp({ number, known, longest, isNeeded: spoken.length === 0 })];
  return texts.reduce((best, text) => (need(text) > need(best) ? text : best));
}

/** Words of these characters, as they are, with a capital, and in capitals; those of one and two letters only where there are no longer ones. */
function spellable({ known, longest }: { readonly known: string; readonly longest: number }): string[] {
  const forms = words.flatMap((word) => [word, word[0]!.toUpperCase() + word.slice(1), word.toUpperCase()]);
  const fitting = [...new Set(forms)].filter((text) => text.length <= longest && [...text].every((letter) => known.includes(letter)));
  const long = fitting.filter(({ length }) => length >= 3);
  return long.length > 0 ? long : fitting;
}

/** Some of a list, each at most once. */
function drawn(list: readonly string[], rng: Rng): string[] {
  return Array.from(rng.permutation(list.length).subarray(0, CANDIDATES), (place) => list[place]!);
}

/** Figures and marks, where there are any; where there is no word to say, anything. */
function madeUp(about: {
  readonly number: number;
  readonly known: string;
  readonly longest: number;
  readonly isNeeded: boolean;
}): string[] {
  const { number, known, longest, isNeeded } = about;
  if (!isNeeded && /^[a-z]*$/i.test(known)) return [];
  const letters = [Math.min(3, longest), longest] as const;
  const made = makeWords({ count: CANDIDATES, seed: number, characters: known, letters, spacing: 1 }).map(({ text }) => text); // only the texts matter
  const fitting = made.filter((text) => [...text].length <= longest && (isNeeded || /^[^a-z]+$/i.test(text)));
  return fitting.length > 0 || !isNeeded ? fitting.slice(0, CANDIDATES / 4) : made;
}
