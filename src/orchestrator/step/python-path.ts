// Where the Python module `headrace_step` lies: beside the sources and beside what is built of them alike.

import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULES = fileURLToPath(new URL('../../../python', import.meta.url));

/** The step's own PYTHONPATH goes first: a module of its own by that name is its own. */
export function pythonPath(own: string | undefined): string {
  return own === undefined || own === '' ? MODULES : `${own}${delimiter}${MODULES}`;
}
