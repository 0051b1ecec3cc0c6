// What is told of an address that cannot be had.

import { HeadraceError } from '../core/index.ts';

/** HR_CONFIG for what the system said, such as EADDRINUSE; anything else as it is. */
export function cannotListen(host: string, port: number, thrown: unknown, option = '--port'): unknown {
  if (thrown instanceof HeadraceError) return thrown;
  const { code = '' } = thrown as { readonly code?: string };
  if (code === '') return thrown;
  return new HeadraceError(
    'HR_CONFIG',
    `cannot listen on ${host} port ${port} (${code}). Choose another with ${option}.`,
    { cause: thrown },
  );
}
