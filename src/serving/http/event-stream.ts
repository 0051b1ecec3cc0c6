// The live stream: one document a second, and alerts as they come. All watchers get the same document, so that they cost little
// however many they are.

import { type Logger, messageOf, stringifyJson } from '../../core/index.ts';
import type { LiveAlerts, LiveStats } from './live-stats.ts';
import { createOpenStreams, type OpenStream, type OpenStreams, type StreamLimits } from './open-streams.ts';

const INTERVAL_MS = 1000;
/** Alerts are looked for every so many seconds. */
const TICKS_PER_ALERTS = 2;

export interface EventStreamsOptions extends StreamLimits {
  readonly stats: Pick<LiveStats, 'live'>;
  readonly alerts: LiveAlerts;
  readonly logger: Logger;
}

/** Each was told alerts by their keys. */
type Streams = Iterable<OpenStream<ReadonlySet<string>>>;

export function createEventStreams(options: EventStreamsOptions): OpenStreams {
  const { stats, alerts, maxStreams, isStillAdmitted, logger } = options;
  let last: { readonly text: string; readonly atMs: number } | undefined;
  let isGathering = false;
  let ticks = 0;

  const tellFigures = async (streams: Streams): Promise<void> => {
    if (isGathering) return;
    isGathering = true;
    try {
      const text = `event: stats\ndata: ${stringifyJson(await stats.live())}\n\n`;
      last = { text, atMs: performance.now() };
      for (const stream of streams) if (stream.hasRoom()) stream.write(text);
    } catch (thrown) {
      logger.warn({ reason: messageOf(thrown) }, 'the figures for streams could not be gathered');
    } finally {
      isGathering = false;
    }
  };
  const tellAlerts = async (streams: Streams): Promise<void> => {
    try {
      const recent = await alerts.recent();
      const keys = new Set(recent.map(({ key }) => key));
      for (const stream of streams) {
        const { told } = stream;
        // One that reads slowly is told later.
        if (!stream.hasRoom()) continue;
        for (const { key, isOld, data } of recent) {
          const isNew = told === undefined ? !isOld : !told.has(key);
          if (isNew) stream.write(`event: alert\ndata: ${stringifyJson(data)}\n\n`);
        }
        stream.told = keys;
      }
    } catch (thrown) {
      logger.warn({ reason: messageOf(thrown) }, 'the alerts for streams could not be read');
    }
  };
  return createOpenStreams<ReadonlySet<string>>({
    name: 'streams',
    tickMs: INTERVAL_MS,
    maxStreams,
    isStillAdmitted,
    begin(stream, all) {
      if (last !== undefined && performance.now() - last.atMs < INTERVAL_MS) stream.write(last.text);
      else void tellFigures(all);
    },
    async tick(all) {
      await tellFigures(all);
      if (ticks++ % TICKS_PER_ALERTS === 0) void tellAlerts(all);
    },
  });
}
