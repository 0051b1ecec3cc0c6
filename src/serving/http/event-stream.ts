// Server-sent events: one document a second until the client leaves, its key ends, or the server stops, and alerts as they come.
// All streams get the same document, so that watchers cost little however many they are.

import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HeadraceError, type Logger, messageOf, stringifyJson } from '../../core/index.ts';
import type { LiveAlerts, LiveStats } from './live-stats.ts';

const INTERVAL_MS = 1000;
/** A client that has read nothing for so long is gone, or as good as. */
const STALLED_MS = 30_000;
/** Alerts are looked for every so many seconds. */
const TICKS_PER_ALERTS = 2;
/** How long the end of a stream may take to be read. */
const END_MS = 300;

/** One server's open streams. */
export interface EventStreams {
  /** Answers with a stream. Throws HR_OVERLOADED past `maxStreams`, HR_STOPPING. */
  open(request: FastifyRequest, reply: FastifyReply): FastifyReply;
  /** Ends every open stream, so that a stopping server does not wait for its watchers. */
  endAll(): void;
}

export interface EventStreamsOptions {
  readonly stats: Pick<LiveStats, 'live'>;
  readonly alerts: LiveAlerts;
  readonly maxStreams: number;
  /** Asked once a second of each stream's request. */
  readonly isStillAdmitted: (request: FastifyRequest) => Promise<boolean>;
  readonly logger: Logger;
}

interface Stream {
  readonly request: FastifyRequest;
  readonly raw: ServerResponse;
  /** Since when it has not read what was written; undefined when it has. */
  stalledSince: number | undefined;
  /** Keys of the alerts that it was told; undefined before the first. */
  told: ReadonlySet<string> | undefined;
}

export function createEventStreams(options: EventStreamsOptions): EventStreams {
  const { stats, alerts, maxStreams, isStillAdmitted, logger } = options;
  const streams = new Set<Stream>();
  let timer: NodeJS.Timeout | undefined;
  let last: { readonly text: string; readonly atMs: number } | undefined;
  let isGathering = false;
  let ticks = 0;
  let isStopping = false;

  const drop = (stream: Stream): void => {
    streams.delete(stream);
    if (streams.size > 0) return;
    clearInterval(timer);
    timer = undefined;
    last = undefined;
  };
  const end = (stream: Stream): void => {
    drop(stream);
    stream.raw.end();
    setTimeout(() => stream.raw.destroy(), END_MS).unref();
  };
  const send = (stream: Stream, text: string): void => {
    if (!stream.raw.writableNeedDrain) {
      stream.stalledSince = undefined;
      stream.raw.write(text);
      return;
    }
    // A client that reads slowly skips documents instead of filling memory.
    stream.stalledSince ??= performance.now();
    if (performance.now() - stream.stalledSince > STALLED_MS) stream.raw.destroy();
  };
  const tick = async (): Promise<void> => {
    if (isGathering) return;
    isGathering = true;
    try {
      const text = `event: stats\ndata: ${stringifyJson(await stats.live())}\n\n`;
      last = { text, atMs: performance.now() };
      for (const stream of streams) send(stream, text);
    } catch (thrown) {
      logger.warn({ reason: messageOf(thrown) }, 'the figures for streams could not be gathered');
    } finally {
      isGathering = false;
    }
  };
  const tellAlerts = async (): Promise<void> => {
    try {
      const recent = await alerts.recent();
      const keys = new Set(recent.map(({ key }) => key));
      for (const stream of streams) {
        const { told } = stream;
        // One that reads slowly is told later.
        if (stream.raw.writableNeedDrain) continue;
        for (const { key, isOld, data } of recent) {
          const isNew = told === undefined ? !isOld : !told.has(key);
          if (isNew) stream.raw.write(`event: alert\ndata: ${stringifyJson(data)}\n\n`);
        }
        stream.told = keys;
      }
    } catch (thrown) {
      logger.warn({ reason: messageOf(thrown) }, 'the alerts for streams could not be read');
    }
  };
  const tickAll = async (): Promise<void> => {
    for (const stream of streams) if (!(await isStillAdmitted(stream.request))) end(stream);
    if (streams.size > 0) await tick();
    if (streams.size > 0 && ticks++ % TICKS_PER_ALERTS === 0) void tellAlerts();
  };

  return {
    open(request, reply) {
      if (isStopping) throw new HeadraceError('HR_STOPPING', 'the server is stopping. Open the stream elsewhere.');
      if (streams.size >= maxStreams) {
        const sentence = `${maxStreams} streams are open, the most that a worker keeps (server.maxStreams).`;
        throw new HeadraceError('HR_OVERLOADED', sentence);
      }
      reply.hijack();
      const { raw } = reply;
      // Who asks may have taken time to be known: one that left meanwhile says so no more.
      if (raw.destroyed || raw.socket?.destroyed === true) return reply;
      const { id } = request;
      raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-request-id': id });
      // A watcher knows at once that it is one, however long the figures take.
      raw.flushHeaders();
      const stream: Stream = { request, raw, stalledSince: undefined, told: undefined };
      streams.add(stream);
      raw.on('close', () => drop(stream));
      timer ??= setInterval(() => void tickAll(), INTERVAL_MS);
      if (last !== undefined && performance.now() - last.atMs < INTERVAL_MS) send(stream, last.text);
      else void tick();
      return reply;
    },
    endAll() {
      isStopping = true;
      for (const stream of streams) end(stream);
    },
  };
}
