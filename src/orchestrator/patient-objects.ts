// An artifact store that is waited for while it does not answer: hours of a task's work do not go by a minute without it.

import type { ObjectStore } from '../storage/index.ts';
import { createStorageWait } from './await-storage.ts';

/** An attempt that waits longer for it fails by that. */
const LIMIT_MS = 60_000;

/** Nothing is waited for once `signal` is aborted. */
export function patientObjects(objects: ObjectStore, signal?: AbortSignal): ObjectStore {
  const patiently = createStorageWait({ what: 'the artifact store', signal, limitMs: LIMIT_MS });
  return {
    put: (key, body, options) => patiently(() => objects.put(key, body, options)),
    putFile: (key, path, options) => patiently(() => objects.putFile(key, path, options)),
    get: (key) => patiently(() => objects.get(key)),
    getFile: (key, path) => patiently(() => objects.getFile(key, path)),
    list: (prefix) => objects.list(prefix),
    remove: (key) => objects.remove(key),
  };
}
