// GrowthBook's live updates as server-sent events: each stream gets the flags' document at once and again whenever it changes,
// until the client leaves, its key ends, or the server stops.

import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HeadraceError, type Logger, messageOf } from '../../../core/index.ts';

export interface FeatureStreams {
  /** Answers with a stream. Throws HR_OVERLOADED past `maxStreams`, HR_STOPPING. */
  open(request: FastifyRequest, reply: FastifyReply): FastifyReply;
  endAll(): void;
}

export interface FeatureStreamsOptions {
  /** What the request's actor may see; the same text until that changes. */
  readonly documentFor: (request: FastifyRequest) => string;
  readonly maxStreams: number;
  readonly isStillAdmitted: (request: FastifyRequest) => Promise<boolean>;
  readonly logger: Logger;
}

interface Stream {
  readonly request: FastifyRequest;
  readonly raw: ServerResponse;
  told: string | undefined;
  stalledTicks: number;
}

/** A change is told within this and the third of a second in which a server sees it. */
const TICK_MS = 250;
const TICKS_PER_ADMISSION = 4;
/** Proxies close what is silent, mostly after a minute. */
const TICKS_PER_HEARTBEAT = 60;
/** A client that has read nothing for half a minute is gone, or as good as. */
const MOST_STALLED_TICKS = 120;
const END_MS = 300;

export function createFeatureStreams(options: FeatureStreamsOptions): FeatureStreams {
  const { documentFor, maxStreams, isStillAdmitted, logger } = options;
  const streams = new Set<Stream>();
  let timer: NodeJS.Timeout | undefined;
  let ticks = 0;
  let toldOf = '';
  let isStopping = false;

  const drop = (stream: Stream): void => {
    streams.delete(stream);
    if (streams.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
  const end = (stream: Stream): void => {
    drop(stream);
    stream.raw.end();
    setTimeout(() => stream.raw.destroy(), END_MS).unref();
  };
  const tell = (stream: Stream, isHeartbeat: boolean): void => {
    // One that reads slowly misses documents: it gets the last.
    if (stream.raw.writableNeedDrain) {
      if (++stream.stalledTicks > MOST_STALLED_TICKS) stream.raw.destroy();
      return;
    }
    stream.stalledTicks = 0;
    const document = documentFor(stream.request);
    if (document !== stream.told) stream.raw.write(`event: features\ndata: ${document}\n\n`);
    else if (isHeartbeat) stream.raw.write(': still here\n\n');
    stream.told = document;
  };
  const tickAll = async (): Promise<void> => {
    const isHeartbeat = ++ticks % TICKS_PER_HEARTBEAT === 0;
    try {
      for (const stream of streams) tell(stream, isHeartbeat);
      toldOf = '';
    } catch (thrown) {
      if (toldOf !== messageOf(thrown))
        logger.warn({ reason: messageOf(thrown) }, 'flags for streams could not be had');
      toldOf = messageOf(thrown);
    }
    if (ticks % TICKS_PER_ADMISSION !== 0) return;
    for (const stream of streams) if (!(await isStillAdmitted(stream.request))) end(stream);
  };

  return {
    open(request, reply) {
      if (isStopping) throw new HeadraceError('HR_STOPPING', 'the server is stopping. Open the stream elsewhere.');
      if (streams.size >= maxStreams) {
        const sentence = `${maxStreams} streams of flags are open, the most that a worker keeps (server.maxStreams).`;
        throw new HeadraceError('HR_OVERLOADED', sentence);
      }
      // What can't be told yet is refused as itself.
      documentFor(request);
      reply.hijack();
      const { raw } = reply;
      if (raw.destroyed || raw.socket?.destroyed === true) return reply;
      const { id } = request;
      raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-request-id': id });
      const stream: Stream = { request, raw, told: undefined, stalledTicks: 0 };
      streams.add(stream);
      raw.on('close', () => drop(stream));
      timer ??= setInterval(() => void tickAll(), TICK_MS);
      tell(stream, false);
      return reply;
    },
    endAll() {
      isStopping = true;
      for (const stream of streams) end(stream);
    },
  };
}
