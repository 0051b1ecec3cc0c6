// A function that a manifest names, as the process holds it.

import { HeadraceError } from '../core/index.ts';
import { titleOf } from './function-id.ts';
import type { Definitions, FunctionRef, UserFunction } from './manifest.ts';

/** Throws HR_CODE_MISSING where the definitions were loaded without it. */
export function functionOf(
  { functions }: Pick<Definitions, 'functions'>,
  { id }: Pick<FunctionRef, 'id'>,
): UserFunction {
  const found = functions.get(id);
  if (found !== undefined) return found;
  throw new HeadraceError(
    'HR_CODE_MISSING',
    `the code of ${titleOf(id)} is not there. Run \`headrace apply\` from the repository again.`,
  );
}
