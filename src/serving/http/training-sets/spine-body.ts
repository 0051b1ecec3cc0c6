// The body of a request for a training set, as it comes: bounded in size and in time, never held.

import type { IncomingMessage } from 'node:http';
import { cancelled, HeadraceError } from '../../../core/index.ts';
import { sendContinue } from '../expectations.ts';
import { takeOwnTime } from '../own-time.ts';

export interface SpineBounds {
  readonly maxBytes: number;
  /** Between two pieces of it. */
  readonly silenceMs: number;
  /** For the whole of it. */
  readonly totalMs: number;
  /** `s3://bucket/folder/`: where a spine may lie that a request names; none where it is empty. */
  readonly places: readonly string[];
}

/** Throws HR_TOO_LARGE where the request says that more will come than is taken. */
export function checkAnnounced({ headers }: IncomingMessage, { maxBytes }: SpineBounds): void {
  const announced = Number(headers['content-length'] ?? 0);
  if (announced > maxBytes) throw tooLarge(maxBytes, `${announced} bytes are announced`);
}

/** Reads when asked to. Throws HR_TOO_LARGE, HR_INVALID for one that takes too long, HR_CANCELLED for one that breaks off. */
export async function* readSpineBody(request: IncomingMessage, bounds: SpineBounds): AsyncGenerator<Uint8Array> {
  const { maxBytes, silenceMs, totalMs } = bounds;
  takeOwnTime(request);
  sendContinue(request);
  const untilMs = performance.now() + totalMs;
  let bytes = 0;
  // Not destroyed: what refuses it is still to be answered on its connection.
  const pieces = request.iterator({ destroyOnReturn: false });
  for (;;) {
    const leftMs = untilMs - performance.now();
    const next = await inTime(pieces.next(), Math.min(silenceMs, leftMs), () =>
      leftMs <= silenceMs
        ? late(`did not arrive within ${totalMs} ms (server.spineTimeoutMs)`)
        : late(`stopped coming: there was nothing for ${silenceMs} ms (server.bodyTimeoutMs)`),
    );
    if (next.done === true) return;
    const piece = next.value as Uint8Array;
    bytes += piece.length;
    if (bytes > maxBytes) throw tooLarge(maxBytes, `${bytes} have come so far`);
    yield piece;
  }
}

async function inTime<T>(piece: Promise<T>, limitMs: number, late: () => HeadraceError): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), Math.max(limitMs, 0));
  });
  const read = piece.catch((): never => {
    throw cancelled('its spine was read');
  });
  try {
    return await Promise.race([read, limit]);
  } finally {
    clearTimeout(timer);
    // One that comes late, or breaks off later, is nobody's.
    read.catch(() => {});
  }
}

const late = (how: string): HeadraceError =>
  new HeadraceError('HR_INVALID', `the spine ${how}. Nothing of it is kept; send it again.`);

const tooLarge = (maxBytes: number, came: string): HeadraceError =>
  new HeadraceError(
    'HR_TOO_LARGE',
    `the spine is over the server’s limit of ${maxBytes} bytes (server.maxSpine): ${came}.`,
  );
