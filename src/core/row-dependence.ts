// Whether the rows of a model depend on each other, and so whether rows of different callers may share a run of it.

/**
 * What runs of the model have shown. `independent`: rows that ran together were answered as each alone, to the last output.
 * `dependent`: some row was answered otherwise. `unknown`: no row that was tried shows it.
 */
export type RowsVerdict = 'independent' | 'dependent' | 'unknown';

/**
 * What a loader of the model goes by. `said`: a person says that rows are independent, and nothing is tried. `shown`: they were
 * at the registration, which holds unless the loader's own rows show the contrary. `dependent`: each request runs alone.
 */
export type KnownRows = 'said' | 'shown' | 'dependent';

/** `batch`: what the definition or the registration says; it wins. Undefined where only the loader's own rows can tell. */
export function knownRows(
  batch: boolean | null | undefined,
  verdict: RowsVerdict | null | undefined,
): KnownRows | undefined {
  if (batch === true) return 'said';
  if (batch === false || verdict === 'dependent') return 'dependent';
  return verdict === 'independent' ? 'shown' : undefined;
}
