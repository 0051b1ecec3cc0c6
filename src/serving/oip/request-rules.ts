// What no request for inference may have, whichever protocol brings it.

import { type HeadraceError, invalid } from '../../core/index.ts';

/** What a tensor's shape may have; far more than any model's. */
export const MOST_DIMENSIONS = 32;

/** Throws HR_INVALID, at `path`, where a name is there more than once. */
export function refuseTwice(names: readonly string[], path: string): void {
  const known = new Set<string>();
  for (const name of names) {
    if (known.has(name)) throw invalid([{ path, message: `${JSON.stringify(name.slice(0, 80))} comes twice` }]);
    known.add(name);
  }
}

/** Throws HR_INVALID for an output that is none of `known`. `whose`: what is asked for it, such as `model "spam"`. */
export function refuseOtherOutputs(asked: readonly string[], known: ReadonlySet<string>, whose: string): void {
  const other = asked.find((name) => !known.has(name));
  if (other === undefined) return;
  const message = `is no output of ${whose}; it gives ${[...known].join(', ')}`;
  throw invalid([{ path: other.slice(0, 100), message }]);
}

/** For an input or output, at `path`, that lies in shared memory. */
export function noSharedMemory(path: string): HeadraceError {
  const message = 'shared memory is not served; send the data with the request';
  return invalid([{ path: `${path}.parameters.shared_memory_region`, message }]);
}

/** For an output, at `path`, that is asked for as ranked classes. */
export function noClasses(path: string): HeadraceError {
  const message = 'classes are not ranked here; ask for the scores';
  return invalid([{ path: `${path}.parameters.classification`, message }]);
}

/** For a request that is one of a sequence. */
export function noSequences(): HeadraceError {
  const message = 'sequences are not served: every request stands alone';
  return invalid([{ path: 'parameters.sequence_id', message }]);
}
