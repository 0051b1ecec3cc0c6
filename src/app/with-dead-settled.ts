// What servers of this machine left behind that are gone, settled before whatever counts the event log.

import type { App } from './open-app.ts';
import type { Definitions, LiveVersion } from '../definitions/index.ts';

/** Definitions to settle by. */
export interface Kept {
  readonly definitions: Definitions;
  readonly versions?: readonly LiveVersion[];
}

/** It is held until `run` has ended, so that the run can count it. */
export async function withDeadSettled<T>(app: App, { definitions, versions }: Kept, run: () => Promise<T>): Promise<T> {
  const { openIngestion } = await import('../ingestion/index.ts');
  const kept = { definitions: () => definitions, ...(versions === undefined ? {} : { versions: () => versions }) };
  const ingestion = openIngestion(await app.ingestion(), kept);
  try {
    await ingestion.settle();
    return await run();
  } finally {
    await ingestion.close();
  }
}
