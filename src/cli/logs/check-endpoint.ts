// An endpoint that is named must be one: a slip would be answered with nothing.

import type { App } from '../../app/index.ts';
import { didYouMeanOf, HeadraceError } from '../../core/index.ts';
import type { LogAnswer } from '../../monitoring/index.ts';

/** One that is gone may have left predictions: `logged` asks the log. Throws HR_UNKNOWN_ENDPOINT. */
export async function checkLoggedEndpoint(app: App, endpoint: string, logged: () => Promise<LogAnswer>): Promise<void> {
  const known = (await (await app.registry()).endpoints.list()).map(({ name }) => name);
  if (known.includes(endpoint)) return;
  const all = new Set([...known, ...(await logged()).rows.map(([name]) => String(name))]);
  if (all.has(endpoint)) return;
  throw new HeadraceError(
    'HR_UNKNOWN_ENDPOINT',
    `there is no endpoint "${endpoint}".${didYouMeanOf('endpoints', endpoint, all)}`,
  );
}
