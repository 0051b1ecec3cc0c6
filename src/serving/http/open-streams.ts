// Streams of server-sent events: as many as a worker keeps, each until its client leaves or reads nothing, its key ends, or the
// server stops. What they tell, and when, is whose they are.

import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HeadraceError } from '../../core/index.ts';

/** A client that has read nothing for so long is gone, or as good as. */
const STALLED_MS = 30_000;
const ADMISSION_MS = 1000;
/** How long the end of a stream may take to be read. */
const END_MS = 300;

export interface OpenStream<Told> {
  readonly request: FastifyRequest;
  /** What it was told last, for whoever tells it. */
  told: Told | undefined;
  /** Whether it has read what was written: one that reads slowly misses events instead of filling memory. */
  hasRoom(): boolean;
  write(text: string): void;
}

export interface OpenStreams {
  /** Answers with a stream. Throws HR_OVERLOADED past `maxStreams`, HR_STOPPING. */
  open(request: FastifyRequest, reply: FastifyReply): FastifyReply;
  /** Ends every open stream, so that a stopping server does not wait for its watchers. */
  endAll(): void;
}

/** What whoever opens streams is given. */
export interface StreamLimits {
  readonly maxStreams: number;
  /** Asked once a second of each stream's request. */
  readonly isStillAdmitted: (request: FastifyRequest) => Promise<boolean>;
}

export interface OpenStreamsOptions<Told> extends StreamLimits {
  /** As they are called where there are too many. */
  readonly name: string;
  readonly tickMs: number;
  /** May refuse by what it throws, before there is a stream. */
  readonly check?: (request: FastifyRequest) => void;
  /** `all`: with the new one. */
  readonly begin: (stream: OpenStream<Told>, all: Iterable<OpenStream<Told>>) => void;
  /** Every `tickMs` while there are any. Never rejects. */
  readonly tick: (all: Iterable<OpenStream<Told>>) => Promise<void> | void;
}

interface Kept<Told> extends OpenStream<Told> {
  readonly raw: ServerResponse;
  stalledTicks: number;
}

export function createOpenStreams<Told>(options: OpenStreamsOptions<Told>): OpenStreams {
  const { name, tickMs, maxStreams, isStillAdmitted } = options;
  const streams = new Set<Kept<Told>>();
  let timer: NodeJS.Timeout | undefined;
  let ticks = 0;
  let isStopping = false;

  const drop = (stream: Kept<Told>): void => {
    streams.delete(stream);
    if (streams.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  const end = (stream: Kept<Told>): void => {
    drop(stream);
    stream.raw.end();
    setTimeout(() => stream.raw.destroy(), END_MS).unref();
  };
  const tickAll = async (): Promise<void> => {
    const isToAsk = (++ticks * tickMs) % ADMISSION_MS === 0;
    for (const stream of streams) {
      stream.stalledTicks = stream.hasRoom() ? 0 : stream.stalledTicks + 1;
      if (stream.stalledTicks * tickMs > STALLED_MS) stream.raw.destroy();
      else if (isToAsk && !(await isStillAdmitted(stream.request))) end(stream);
    }
    if (streams.size > 0) await options.tick(streams);
  };

  return {
    open(request, reply) {
      if (isStopping) throw new HeadraceError('HR_STOPPING', 'the server is stopping. Open the stream elsewhere.');
      if (streams.size >= maxStreams) {
        const sentence = `${maxStreams} ${name} are open, the most that a worker keeps (server.maxStreams).`;
        throw new HeadraceError('HR_OVERLOADED', sentence);
      }
      options.check?.(request);
      reply.hijack();
      const { raw } = reply;
      // Who asks may have taken time to be known: one that left meanwhile says so no more.
      if (raw.destroyed || raw.socket?.destroyed === true) return reply;
      const { id } = request;
      raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-request-id': id });
      // A watcher knows at once that it is one, however long its first event takes.
      raw.flushHeaders();
      const stream: Kept<Told> = {
        request,
        raw,
        told: undefined,
        stalledTicks: 0,
        hasRoom: () => !raw.writableNeedDrain,
        write: (text) => void raw.write(text),
      };
      streams.add(stream);
      raw.on('close', () => drop(stream));
      timer ??= setInterval(() => void tickAll(), tickMs);
      options.begin(stream, streams);
      return reply;
    },
    endAll() {
      isStopping = true;
      for (const stream of streams) end(stream);
    },
  };
}
