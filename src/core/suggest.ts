// "Did you mean …?": the nearest known name to one that isn't known.

/** The known name nearest to `name`, if one is near enough to be a likely slip. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** ` Did you mean "x"?`, or nothing: made to end an error's sentence. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
}

const MOST_NAMED = 8;

/** As `didYouMean`; where nothing is near, what there is (a few), or that there is none. Ends an error's sentence. */
export function didYouMeanOf(plural: string, name: string, known: Iterable<string>): string {
  const names = [...known];
  if (names.length === 0) return ` There are no ${plural}.`;
  const nearest = didYouMean(name, names);
  if (nearest !== '') return nearest;
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return ` The ${plural}: ${names.slice(0, MOST_NAMED).join(', ')}${more}.`;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min((previous[j] as number) + 1, (current[j - 1] as number) + 1, substitution));
    }
    previous = current;
  }
  return previous[b.length] as number;
}
