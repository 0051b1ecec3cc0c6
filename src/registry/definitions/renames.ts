// What is called otherwise from one manifest to the next: views and entities by the name that their data lies under, what
// stores none by what its author says. Pure.

import { type Manifest, storedName } from '../../definitions/index.ts';
import { OBJECT_SECTIONS, type ObjectKind } from './objects.ts';

export interface Renames {
  /** What an object of the earlier manifest is called in the later one; undefined where it isn't renamed. */
  later(object: ObjectKind, name: string): string | undefined;
  /** What an object of the later manifest was called in the earlier one; undefined where it isn't renamed. */
  former(object: ObjectKind, name: string): string | undefined;
}

interface Named {
  readonly name: string;
  readonly renamedFrom?: string;
  readonly storedAs?: string;
}

/** Both manifests have the names that data lies under, as `withStoredNames` gives them. */
export function findRenames(before: Manifest, after: Manifest): Renames {
  const later = new Map<string, string>();
  const former = new Map<string, string>();
  for (const [object, section] of OBJECT_SECTIONS) {
    const isStored = object === 'view' || object === 'entity';
    const found = pairRenamed(
      Object.values<Named>(before[section] ?? {}),
      Object.values<Named>(after[section] ?? {}),
      (was, is) => (isStored && storedName(was) === storedName(is)) || says(was, is),
    );
    for (const [was, is] of found) {
      later.set(`${object}/${was.name}`, is.name);
      former.set(`${object}/${is.name}`, was.name);
    }
  }
  return {
    later: (object, name) => later.get(`${object}/${name}`),
    former: (object, name) => former.get(`${object}/${name}`),
  };
}

/** Features of a view that are called otherwise, by their former names. */
export function renamedFeatures(was: readonly Named[], is: readonly Named[]): ReadonlyMap<string, string> {
  return new Map(pairRenamed(was, is, says).map(([one, other]) => [one.name, other.name]));
}

// A rollback takes a rename back: then the earlier manifest says it.
function says(was: Named, is: Named): boolean {
  return is.renamedFrom === was.name || was.renamedFrom === is.name;
}

/** What goes with what comes in its place, each once. */
export function pairRenamed<T extends { readonly name: string }>(
  before: readonly T[],
  after: readonly T[],
  isSame: (was: T, is: T) => boolean,
): (readonly [was: T, is: T])[] {
  const [old, next] = [names(before), names(after)];
  const gone = before.filter(({ name }) => !next.has(name));
  return after.flatMap((is) => {
    if (old.has(is.name)) return [];
    const at = gone.findIndex((was) => isSame(was, is));
    return at < 0 ? [] : [[gone.splice(at, 1)[0] as T, is] as const];
  });
}

function names(specs: readonly { readonly name: string }[]): ReadonlySet<string> {
  return new Set(specs.map(({ name }) => name));
}
