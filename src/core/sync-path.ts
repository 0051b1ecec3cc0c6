// What is written stays written, whatever happens to the machine.

import { open } from 'node:fs/promises';

/** Makes a file's bytes durable once resolved; of a folder, the names in it. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
