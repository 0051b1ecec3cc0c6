// Why steps of a run wait on a cluster or the fleet, for whoever looks at the run: its driver's executors keep it beside the run's results.

import { sha256Hex, stringifyJson } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';

interface WaitsDocument {
  /** Who says so: of one that is gone nothing counts any more. */
  readonly driver: string;
  /** By step, in a sentence. */
  readonly steps: Readonly<Record<string, string>>;
}

/** `executor` tells those of one driver apart. */
export async function storeWaits(
  objects: ObjectStore,
  run: string,
  executor: string,
  document: WaitsDocument,
): Promise<void> {
  const key = `${folderOf(run)}${sha256Hex(`${document.driver}\n${executor}`).slice(0, 16)}.json`;
  if (Object.keys(document.steps).length === 0) await objects.remove(key);
  else await objects.put(key, Buffer.from(stringifyJson(document)));
}

/** By step; what cannot be read is left out, for it is no more than a hint. */
export async function readWaits(
  objects: ObjectStore,
  run: string,
  driver: string | null,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  try {
    for await (const { key } of objects.list(folderOf(run))) {
      const bytes = await objects.get(key);
      if (bytes === undefined) continue;
      const document = JSON.parse(Buffer.from(bytes).toString()) as WaitsDocument; // as it was stored above
      if (document.driver !== driver) continue;
      for (const [step, why] of Object.entries(document.steps)) found.set(step, why);
    }
  } catch {
    // away
  }
  return found;
}

function folderOf(run: string): string {
  return `runs/${run}/waits/`;
}
