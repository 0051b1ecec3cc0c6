// A function that a manifest names, as the process holds it.

import { HeadraceError } from '../core/index.ts';
import { titleOf } from './function-id.ts';
import type { Definitions, FunctionRef, UserFunction } from './manifest.ts';

/** Where the definitions were loaded without it throws why: HR_CODE_MISSING, HR_CODE_ALTERED. */
export function functionOf(
  { functions, lost }: Pick<Definitions, 'functions' | 'lost'>,
  { id }: Pick<FunctionRef, 'id'>,
): UserFunction {
  const found = functions.get(id);
  if (found !== undefined) return found;
  const why = lost?.get(id);
  if (why !== undefined) throw new HeadraceError(why.code, why.message, { cause: why });
  throw new HeadraceError(
    'HR_CODE_MISSING',
    `the code of ${titleOf(id)} is not there. Run \`headrace apply\` from the repository again.`,
  );
}
