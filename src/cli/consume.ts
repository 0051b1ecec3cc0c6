// `headrace consume SOURCE`: pushes a topic's messages into their source, until told to stop or caught up.

import { counted, parseDuration } from '../core/index.ts';
import type { MetricsPort } from '../control/index.ts';
import type { ConsumeProgress } from '../streams/index.ts';
import { type CommandOptions, defineCommand, textOption, usageError } from './command.ts';
import { wholeNumberOption } from './whole-number-option.ts';

const PATIENCE = '5m';

export const consumeCommand = defineCommand({
  usage: 'consume <source>',
  summary: 'push a Kafka topic’s messages into their source until told to stop',
  example: 'headrace consume orders --metrics-port 9100',
  notes: `Each message counts once, whatever dies or is started twice: what was pushed is kept with the pushes, not in the group's
offsets, which are told for other tools. Run it several times to share the partitions. --from says where to begin a
partition that was never consumed (default: earliest), and where to go on when its next messages were deleted unread.`,
  options: (command) =>
    command
      .option('--from <place>', 'earliest or latest')
      .option('--group <group>', 'the consumer group, instead of the source’s')
      .option('--max <count>', 'stop after so many messages')
      .option('--until-caught-up', 'stop once what the topic held at the start is pushed')
      .option('--metrics-port <port>', 'serve /metrics on this port of this machine; 0 takes a free one')
      .option('--patience <duration>', `how long brokers and stores are waited for (default: ${PATIENCE})`),
  async run(context, [name = ''], options) {
    const from = fromOption(options);
    const max = wholeNumberOption(options, 'max', 1, Number.MAX_SAFE_INTEGER);
    const port = wholeNumberOption(options, 'metrics-port', 0, 65_535);
    const patienceMs = patienceOf(options);
    const { openConsumer, stopSignal } = await import('../app/index.ts');
    const { consume, createStreamMetrics, retrying } = await import('../streams/index.ts');
    const app = await context.app();
    const stopping = new AbortController();
    void stopSignal().then(() => stopping.abort());
    const { signal } = stopping;
    const patience = { limitMs: patienceMs, logger: app.logger, signal };
    const consumer = await openConsumer(app, name, { group: textOption(options, 'group') }, (open) =>
      retrying('brokers', open, patience),
    );
    const metrics = createStreamMetrics(name, consumer.topic);
    const { listenForScrapes } = await import('../control/index.ts');
    let listening: MetricsPort | undefined;
    let result: ConsumeProgress;
    try {
      listening = port === undefined ? undefined : await listenForScrapes(port, () => metrics.text());
      const metricsUrl = listening?.url;
      const where = { topic: consumer.topic, group: consumer.group, metrics: metricsUrl ?? null };
      context.tell(
        `Consuming topic "${where.topic}" into ${name} as group ${where.group}${metricsUrl === undefined ? '' : ` (${metricsUrl})`}`,
      );
      context.progress.start(`consume ${name}`, undefined, 'events');
      result = await consume({
        ...consumer.parts,
        ...(from === undefined ? {} : { from }),
        ...(max === undefined ? {} : { max }),
        isUntilCaughtUp: options['untilCaughtUp'] === true,
        patienceMs,
        signal,
        onProgress(progress) {
          metrics.set(progress);
          context.progress.advance(progress.pushed);
        },
      });
      context.progress.done(tellOf(result));
    } finally {
      await consumer.close();
      await listening?.close();
    }
    const { completeVersions } = await import('../offline/index.ts');
    // Those that hold all there is from the beginning, for one: readers may stay with them while later ones are filled.
    await completeVersions(await app.completeness(), await app.waitingVersions());
    return {
      json: { source: name, topic: consumer.topic, group: consumer.group, ...result },
      text: [
        `${counted(result.pushed, 'event')} into ${name}${result.dead === 0 ? '' : `, ${counted(result.dead, 'dead letter')} in ${consumer.deadLetters.name}`}`,
        ...result.partitions.map(
          ({ partition, position, lag }) => `  partition ${partition}: up to ${position}, ${lag} behind`,
        ),
      ].join('\n'),
    };
  },
});

function tellOf({ pushed, dead, partitions }: ConsumeProgress): string {
  const behind = partitions.reduce((sum, { lag }) => sum + lag, 0);
  return `${counted(pushed, 'event')}, ${counted(dead, 'dead letter')}, ${behind} behind`;
}

function fromOption(options: CommandOptions): 'earliest' | 'latest' | undefined {
  const from = textOption(options, 'from');
  if (from === undefined || from === 'earliest' || from === 'latest') return from;
  throw usageError(`--from takes earliest or latest, got "${from}".`);
}

function patienceOf(options: CommandOptions): number {
  const text = textOption(options, 'patience') ?? PATIENCE;
  const micros = parseDuration(text);
  if (micros === undefined) throw usageError(`--patience takes a duration such as 30s or 5m, got "${text}".`);
  return Math.ceil(micros / 1000);
}
