// The figures of all processes, as one of them shows them: the totals as their owner told them last, and what this process has
// counted that is not part of those. So they never fall below what it has shown before, whatever becomes of the others; and a
// scrape, which any of the processes may answer, not below what another has shown.

import { type Clock, HeadraceError } from '../../core/index.ts';
import { type Figures, figuresOf } from './figures.ts';
import type { Increment, Readings, Report } from './increment.ts';
import { metricsOf } from './metrics.ts';
import type { Monitor } from './monitor.ts';
import { prometheusText } from './prometheus-text.ts';
import { type MonitorSnapshot, toSnapshot } from './snapshot.ts';
import { addIncrement, createSums, packSums, type Sums } from './sums.ts';
import type { ToldTotals, Totals } from './totals.ts';

/** The way to whoever owns the totals. What is sent arrives in its order, or never. */
export interface TotalsChannel {
  send(report: Report): void;
  /**
   * The totals with all that was sent before; `gathers`: with what the others have counted until now, too. Undefined when they
   * don't come in time.
   */
  ask(options: { readonly gathers: boolean }): Promise<ToldTotals | undefined>;
}

export interface LiveFigures {
  /**
   * Prometheus' text format. Throws HR_DEADLINE where the owner does not tell the totals in time: a counter that falls is taken
   * for one that began anew, a scrape that fails for a gap.
   */
  prometheus(): Promise<string>;
  /** For streams: the figures are gathered at most once a second, however many ask. */
  live(): Promise<MonitorSnapshot>;
  /** Of each shadow what its pairs say. */
  shadows(): Promise<Figures['shadows']>;
  /** All that they are made of. */
  figures(): Promise<Figures>;
  /** Tells the owner what was counted. Call it each second, and once before the process ends. */
  report(): void;
  /** Learns the totals of others, so that what is shown first is no less than what they have shown. False where nobody tells. */
  learn(): Promise<boolean>;
}

const GATHER_EVERY_MS = 1000;
/** Reports that are not known to be counted: with so many the totals are asked for, with so many none is sent any more. */
const ASK_PAST = 20;
const HOLD_PAST = 60;

interface Sent {
  readonly sequence: number;
  readonly increment: Increment;
}

export function createLiveFigures(given: {
  readonly monitor: Monitor;
  readonly channel: TotalsChannel;
  readonly clock: Clock;
}): LiveFigures {
  const { monitor, channel, clock } = given;
  const startMicros = clock.nowMicros();
  let known: ToldTotals | undefined;
  let uncounted: Sent[] = [];
  let held: Sums | undefined;
  let sequence = 0;
  let own: Readings | undefined;
  let lastLive: { readonly atMs: number; readonly snapshot: Promise<MonitorSnapshot> } | undefined;

  // What is held back while the owner is silent goes as one.
  const report = (): void => {
    const { increment, readings } = monitor.take();
    own = readings;
    held ??= createSums();
    addIncrement(held, increment, clock.nowMicros());
    if (uncounted.length >= HOLD_PAST) return;
    sequence++;
    const whole = packSums(held);
    held = undefined;
    uncounted.push({ sequence, increment: whole });
    channel.send({ sequence, increment: whole, readings });
  };

  const ask = async (gathers: boolean): Promise<boolean> => {
    const told = await channel.ask({ gathers });
    if (told === undefined) return false;
    // What is known was told later than one that counts less.
    if (told.counted < (known?.counted ?? 0)) return true;
    known = told;
    uncounted = uncounted.filter((sent) => sent.sequence > told.counted);
    return true;
  };

  const figures = (): Figures => {
    const now = clock.nowMicros();
    const sums = createSums();
    if (known !== undefined) addIncrement(sums, known.increment, now);
    for (const { increment } of uncounted) addIncrement(sums, increment, now);
    if (held !== undefined) addIncrement(sums, packSums(held), now);
    const readings = known === undefined ? [] : known.readings.map(([, one]) => one);
    return figuresOf(
      {
        sums,
        startMicros: known?.startMicros ?? startMicros,
        restarts: known?.restarts ?? 0,
        readings: readings.length === 0 && own !== undefined ? [own] : readings,
      },
      now,
    );
  };

  /** False where nobody tells what others have counted. */
  const gather = async (): Promise<boolean> => {
    report();
    const isTold = await ask(true);
    // What was counted while the totals were on their way.
    report();
    return isTold;
  };
  const gathered = async (): Promise<Figures> => {
    await gather();
    return figures();
  };

  return {
    figures: gathered,
    shadows: async () => (await gathered()).shadows,
    async prometheus() {
      if (await gather()) return prometheusText(metricsOf(figures()));
      const sentence =
        'what the other workers of this server have counted did not come in time, and without it counters would fall. Scrape again.';
      throw new HeadraceError('HR_DEADLINE', sentence);
    },
    live() {
      const atMs = performance.now();
      if (lastLive === undefined || atMs - lastLive.atMs >= GATHER_EVERY_MS)
        lastLive = { atMs, snapshot: gathered().then(toSnapshot) };
      return lastLive.snapshot;
    },
    report() {
      report();
      if (uncounted.length > ASK_PAST) void ask(false);
    },
    learn() {
      report();
      return ask(false);
    },
  };
}

/** The way to totals in the same process. */
export function localChannel(totals: Totals): TotalsChannel {
  return {
    send: (report) => void totals.count(OWN, report),
    ask: () => Promise.resolve(totals.tell(OWN)),
  };
}

const OWN = 'own';
