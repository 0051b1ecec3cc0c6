// GrowthBook's live updates: each stream gets the flags' document at once and again whenever it changes.

import type { FastifyRequest } from 'fastify';
import { type Logger, messageOf } from '../../../core/index.ts';
import { createOpenStreams, type OpenStream, type OpenStreams, type StreamLimits } from '../open-streams.ts';

export interface FeatureStreamsOptions extends StreamLimits {
  /** What the request's actor may see; the same text until that changes. What can't be told yet is thrown, and answered. */
  readonly documentFor: (request: FastifyRequest) => string;
  readonly logger: Logger;
}

/** A change is told within this and the third of a second in which a server sees it. */
const TICK_MS = 250;
/** Proxies close what is silent, mostly after a minute. */
const TICKS_PER_HEARTBEAT = 60;

export function createFeatureStreams(options: FeatureStreamsOptions): OpenStreams {
  const { documentFor, maxStreams, isStillAdmitted, logger } = options;
  let ticks = 0;
  let toldOf = '';

  const tell = (stream: OpenStream<string>, isHeartbeat: boolean): void => {
    // One that reads slowly misses documents: it gets the last.
    if (!stream.hasRoom()) return;
    const document = documentFor(stream.request);
    if (document !== stream.told) stream.write(`event: features\ndata: ${document}\n\n`);
    else if (isHeartbeat) stream.write(': still here\n\n');
    stream.told = document;
  };
  return createOpenStreams<string>({
    name: 'streams of flags',
    tickMs: TICK_MS,
    maxStreams,
    isStillAdmitted,
    check: documentFor,
    begin: (stream) => tell(stream, false),
    tick(all) {
      const isHeartbeat = ++ticks % TICKS_PER_HEARTBEAT === 0;
      try {
        for (const stream of all) tell(stream, isHeartbeat);
        toldOf = '';
      } catch (thrown) {
        if (toldOf !== messageOf(thrown))
          logger.warn({ reason: messageOf(thrown) }, 'flags for streams could not be had');
        toldOf = messageOf(thrown);
      }
    },
  });
}
