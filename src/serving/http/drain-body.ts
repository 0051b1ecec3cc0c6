// Reads the rest of a body that will not be used, behind the answer. Closing the connection while the client still writes would
// reset it, and most clients then report a broken pipe instead of the answer.

import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

const MAX_BYTES = 256 * 1024 * 1024;
const MAX_MS = 5000;
/** A client that has sent nothing for so long has had the time to read its answer. */
const QUIET_MS = 1000;

/** The whole answer at once; its end, at which the connection is closed, once the body was read or its client had enough time. */
export function answerThenDrain(answer: Buffer, body: IncomingMessage): Readable {
  return Readable.from(answerThenWait(answer, body), { objectMode: false });
}

async function* answerThenWait(answer: Buffer, body: IncomingMessage): AsyncGenerator<Buffer> {
  yield answer;
  await drain(body);
}

/** Resolves at the body's end, or when the client sends nothing, for too long or too much: then it gets what it asked for. */
function drain(body: IncomingMessage): Promise<void> {
  if (body.readableEnded || body.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let bytes = 0;
    const finish = (): void => {
      clearTimeout(limit);
      clearTimeout(quiet);
      body.off('data', count).off('end', finish).off('close', finish).off('error', finish);
      resolve();
    };
    const count = (chunk: Buffer): void => {
      bytes += chunk.length;
      quiet.refresh();
      if (bytes > MAX_BYTES) finish();
    };
    const limit = setTimeout(finish, MAX_MS);
    const quiet = setTimeout(finish, QUIET_MS);
    body.on('data', count).once('end', finish).once('close', finish).once('error', finish);
    body.resume();
  });
}
