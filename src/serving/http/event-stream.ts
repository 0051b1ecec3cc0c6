// Server-sent events: one document a second until the client leaves or the server stops.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { stringifyJson } from '../../core/index.ts';
import type { LiveStats } from './live-stats.ts';

const INTERVAL_MS = 1000;
const open = new Set<() => void>();

export function streamEvents(request: FastifyRequest, reply: FastifyReply, stats: LiveStats): FastifyReply {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-request-id': request.id });
  let isBusy = false;
  const send = async (): Promise<void> => {
    // A client that reads slowly skips documents instead of filling memory.
    if (isBusy || raw.writableNeedDrain) return;
    isBusy = true;
    try {
      raw.write(`event: stats\ndata: ${stringifyJson(await stats.live())}\n\n`);
    } catch {
      raw.end();
    } finally {
      isBusy = false;
    }
  };
  const timer = setInterval(() => void send(), INTERVAL_MS);
  const end = (): void => {
    clearInterval(timer);
    open.delete(end);
    raw.end();
  };
  open.add(end);
  raw.on('close', end);
  void send();
  return reply;
}

/** Ends every open stream, so that a stopping server does not wait for its watchers. */
export function endStreams(): void {
  for (const end of open) end();
}
