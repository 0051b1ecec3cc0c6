// The push path of one command: its own writer, by the definitions that are applied, for as long as the command takes.

import type { App } from '../app/index.ts';
import type { Ingestion } from '../ingestion/index.ts';

/** `maxRows`: of one push, whatever a server's limit is. The caller closes it. */
export async function openPushes(app: App, maxRows: number): Promise<Ingestion> {
  const { openIngestion } = await import('../ingestion/index.ts');
  const [definitions, deps] = [await app.applied(), await app.ingestion()];
  let versions = await app.versions();
  const refresh = async () => (versions = await app.versions());
  const kept = { definitions: () => definitions, versions: () => versions, refresh };
  return openIngestion({ ...deps, limits: { ...deps.limits, maxRows } }, kept);
}
