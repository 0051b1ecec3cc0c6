// A client that stops reading a long answer keeps a file, and perhaps a process, for as long as its connection lives: not for ever.

import type { ServerResponse } from 'node:http';

const TIMES = { lookMs: 10_000, stalledMs: 60_000 };

/** Cuts the connection once nothing more of the answer was taken for a minute. */
export function cutStalled(response: ServerResponse, { lookMs, stalledMs } = TIMES): void {
  const { socket } = response;
  if (socket === null) return;
  let [bytes, sinceMs] = [-1, performance.now()];
  const timer = setInterval(() => {
    if (socket.bytesWritten !== bytes || response.writableLength === 0)
      [bytes, sinceMs] = [socket.bytesWritten, performance.now()];
    else if (performance.now() - sinceMs > stalledMs) response.destroy();
  }, lookMs);
  timer.unref();
  response.once('close', () => clearInterval(timer));
}
