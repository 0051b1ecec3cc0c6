// Reads the rest of a body that will not be used. Closing the connection while the client still writes would reset it,
// and most clients then report a broken pipe instead of the answer.

import type { IncomingMessage } from 'node:http';

const MAX_BYTES = 256 * 1024 * 1024;
const MAX_MS = 5000;

/** Resolves at the body's end, or when the client sends for too long or too much: then it gets what it asked for. */
export function drainBody(body: IncomingMessage): Promise<void> {
  if (body.readableEnded || body.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let bytes = 0;
    const finish = (): void => {
      clearTimeout(timer);
      body.off('data', count).off('end', finish).off('close', finish).off('error', finish);
      resolve();
    };
    const count = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) finish();
    };
    const timer = setTimeout(finish, MAX_MS);
    body.on('data', count).once('end', finish).once('close', finish).once('error', finish);
    body.resume();
  });
}
