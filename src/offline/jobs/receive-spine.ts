// A spine's bytes on their way to disk: written as they come, so that memory holds one piece of them.

import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { HeadraceError, messageOf } from '../../core/index.ts';

/** Writes them to a new file. Throws what the bytes' source throws, HR_STORAGE_FULL, HR_STORAGE_UNAVAILABLE. */
export async function receiveSpine(bytes: AsyncIterable<Uint8Array>, path: string, hash?: Hash): Promise<void> {
  const file = await stored(() => open(path, 'wx'));
  try {
    for await (const piece of bytes) {
      hash?.update(piece);
      await stored(() => file.writeFile(piece));
    }
  } finally {
    await file.close();
  }
}

/** Their SHA-256 alone, in hex. */
export async function hashSpine(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of bytes) hash.update(piece);
  return hash.digest('hex');
}

async function stored<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new HeadraceError('HR_STORAGE_FULL', 'the disk of offline.path is full; nothing of the spine is kept.', {
        cause: thrown,
      });
    const sentence = `the spine cannot be written under offline.path: ${messageOf(thrown)}`;
    throw new HeadraceError('HR_STORAGE_UNAVAILABLE', sentence, { cause: thrown });
  }
}
