// One error of several rows', which keeps them apart: what may be told of each goes by its own code.

import { HeadraceError } from './headrace-error.ts';
import { MOST_MISTAKES } from './input-mistakes.ts';

/** `parts` are in the rows' order; the one at `lead` gives the code, and the sentence's begin. */
export function joinErrors(parts: readonly HeadraceError[], lead: number): HeadraceError {
  const first = parts[lead];
  if (first === undefined) throw new Error(`there is no error ${lead} of ${parts.length}`);
  if (parts.length === 1) return first;
  return new HeadraceError(first.code, `${first.message} (and ${parts.length - 1} more rows)`, {
    details: parts.flatMap(({ details }) => details).slice(0, MOST_MISTAKES),
    cause: first.cause ?? first,
    where: first.where,
    parts,
  });
}

/** The error with `tell` for it, or for each that it is joined from. */
export function retold(error: HeadraceError, tell: (one: HeadraceError) => HeadraceError): HeadraceError {
  if (error.parts.length === 0) return tell(error);
  const lead = error.parts.findIndex(({ code }) => code === error.code);
  return joinErrors(error.parts.map(tell), lead);
}
