// Where the demo keeps its own registry, stores and logs: apart from the project's, and made anew at each run.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../quickstart/headrace.ts';

export const demoFolder = join(root, '.headrace', 'demo');

/** Empties the demo's folder, and points every command and server that this process starts at it. */
export function useDemoState(): void {
  rmSync(demoFolder, { recursive: true, force: true });
  const at = (name: string): string => join(demoFolder, name);
  Object.assign(process.env, {
    HEADRACE_REGISTRY_URL: `sqlite:${at('registry.db')}`,
    HEADRACE_ONLINE_URL: `lmdb:${at('online')}`,
    HEADRACE_OFFLINE_PATH: at('offline'),
    HEADRACE_ARTIFACTS_URL: `file:${at('artifacts')}`,
    HEADRACE_PUSH_LOG_PATH: at('push-log'),
    HEADRACE_PREDICTION_LOG_PATH: at('predictions'),
  });
}
