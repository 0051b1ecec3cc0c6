// Server-sent events: one document a second until the client leaves or the server stops.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { stringifyJson } from '../../core/index.ts';
import type { LiveStats } from './live-stats.ts';

const INTERVAL_MS = 1000;

/** One server's open streams. */
export interface EventStreams {
  /** Answers with a stream. */
  open(request: FastifyRequest, reply: FastifyReply): FastifyReply;
  /** Ends every open stream, so that a stopping server does not wait for its watchers. */
  endAll(): void;
}

export function createEventStreams(stats: LiveStats): EventStreams {
  const ends = new Set<() => void>();
  return {
    open(request, reply) {
      reply.hijack();
      const { raw } = reply;
      const { id } = request;
      raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-request-id': id });
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
        ends.delete(end);
        raw.end();
      };
      ends.add(end);
      raw.on('close', end);
      void send();
      return reply;
    },
    endAll() {
      for (const end of ends) end();
    },
  };
}
