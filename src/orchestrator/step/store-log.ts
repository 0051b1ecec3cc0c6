// An attempt's log in the artifact store, where it is found from other machines.

import type { ObjectStore } from '../../storage/index.ts';
import { type Attempt, logKey } from '../run-logs.ts';

export async function storeLog(objects: ObjectStore, at: Attempt, path: string): Promise<void> {
  await objects.putFile(logKey(at), path);
}
