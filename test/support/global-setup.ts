// Vitest calls this once, before it starts its workers, and what it returns after the run.

import { chmodSync } from 'node:fs';
import { memoryFolder } from './memory-folder.ts';
import { makeOwnedFolder, removeFolder } from './owned-folder.ts';
import { RUN_FOLDER } from './run-folder.ts';
import { endSharedServers } from './server-lifetime.ts';

export default function setUp(): () => void {
  const folder = makeOwnedFolder(memoryFolder(), 'headrace-run');
  // Servers that refuse to run as root are started as another user, who has to pass through.
  chmodSync(folder, 0o755);
  process.env[RUN_FOLDER] = folder;
  return () => {
    endSharedServers(folder);
    removeFolder(folder);
  };
}
