// Renames: an object that was renamed keeps the name under which its data lies, for as long as it is defined. A new one of
// that name has its data under another. Pure: from the applied manifest to another.

import { didYouMean, type ErrorDetail, HeadraceError } from '../../core/index.ts';
import { type Manifest, own, storedName } from '../../definitions/index.ts';

interface Named {
  readonly name: string;
  readonly renamedFrom?: string;
  readonly storedAs?: string;
}

/** The manifest with `storedAs` where data lies under another name. Throws HR_DEFINITION for a rename that can't be. */
export function withStoredNames(before: Manifest | undefined, after: Manifest): Manifest {
  const mistakes: ErrorDetail[] = [];
  const views = resolve('feature view', before?.views ?? {}, after.views, mistakes);
  const entities = resolve('entity', before?.entities ?? {}, after.entities, mistakes);
  const [first] = mistakes;
  if (first !== undefined) {
    throw new HeadraceError('HR_DEFINITION', `${first.path}: ${first.message}`, { details: mistakes });
  }
  return { ...after, views, entities };
}

function resolve<T extends Named>(
  kind: string,
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
  mistakes: ErrorDetail[],
): Readonly<Record<string, T>> {
  const claimed = new Set(Object.values(after).map(({ renamedFrom }) => renamedFrom));
  const gone = Object.keys(before).filter((name) => own(after, name) === undefined && !claimed.has(name));
  const taken = new Set(Object.entries(after).flatMap(([name, spec]) => keptName(name, spec, before) ?? []));
  const resolved = Object.entries(after).map(([name, spec]): [string, T] => {
    const kept = keptName(name, spec, before);
    // Where nothing goes there is no data that a slip could cost: the old name never came to this registry.
    if (kept === undefined && spec.renamedFrom !== undefined && gone.length > 0) {
      const hint = didYouMean(spec.renamedFrom, gone);
      const message = `renamedFrom names "${spec.renamedFrom}", which is not applied.${hint} Leave it out, or correct it`;
      mistakes.push({ path: `${kind} "${name}"`, message });
    }
    const stored = kept ?? freeName(name, taken);
    const { storedAs: _, ...rest } = spec;
    // What is left out of a spec and set again makes the same spec.
    return [name, (stored === name ? rest : { ...rest, storedAs: stored }) as T];
  });
  return Object.fromEntries(resolved);
}

/** The name that its data lies under already; undefined where it has none. */
function keptName<T extends Named>(
  name: string,
  { renamedFrom }: Named,
  before: Readonly<Record<string, T>>,
): string | undefined {
  // A rename that was applied before may stay written there, or not.
  const from = own(before, name) ?? (renamedFrom === undefined ? undefined : own(before, renamedFrom));
  return from === undefined ? undefined : storedName(from);
}

// No name that users give has two underscores, so none can be taken by one.
function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${name}__${number}`;
  return free;
}
