// Totals over workers that die, lag and repeat themselves, against a plain count of what happened.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Clock, MICROS_PER_SECOND } from '../../src/core/index.ts';
import {
  createLiveFigures,
  createMonitor,
  createTotals,
  type Report,
  type ToldTotals,
} from '../../src/monitoring/index.ts';
import { refused } from '../support/refused.ts';
import { runs } from '../support/tier.ts';

const SERIES = 'headrace_requests_total{endpoint="delay"}';

interface Simulated {
  readonly id: string;
  readonly answer: () => void;
  readonly report: () => void;
  readonly scrape: () => Promise<number>;
  readonly queue: Report[];
  counted: number;
  /** Of what was counted, how much was told to the owner's inbox. */
  isSilent: boolean;
  close(): void;
}

const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      at: fc.nat(2),
      count: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('report' as const), at: fc.nat(2) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('deliver' as const), at: fc.nat(2), repeats: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('scrape' as const), at: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('silence' as const), at: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('kill' as const), at: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), at: fc.nat(2), seconds: fc.nat(15) }) },
);

describe('totals that the primary owns', () => {
  it('never go backwards whichever worker is asked, never count twice, and lose only what a killed worker had not sent', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 120 }), async (actions) => {
        let now = 1_790_000_000_000_000;
        const clock: Clock = { nowMicros: () => now };
        const totals = createTotals(clock);
        /** By any of them. */
        let shown = 0;
        let started = 0;
        let gone = 0;
        const start = (): Simulated => {
          const id = `w${started++}`;
          const monitor = createMonitor(clock);
          const queue: Report[] = [];
          // What any of them has sent is there before the answer to whoever asks later.
          const deliverAll = (): void => {
            for (const one of workers) for (const report of one.queue.splice(0)) totals.count(one.id, report);
          };
          const figures = createLiveFigures({
            monitor,
            clock,
            channel: {
              send: (report) => void queue.push(JSON.parse(JSON.stringify(report)) as Report),
              ask: () => {
                if (worker.isSilent) return Promise.resolve(undefined);
                deliverAll();
                return Promise.resolve(JSON.parse(JSON.stringify(totals.tell(id))) as ToldTotals);
              },
            },
          });
          const worker: Simulated = {
            id,
            queue,
            counted: 0,
            isSilent: false,
            answer: () => monitor.endpoint('delay').answered(123.4, 1),
            report: () => figures.report(),
            async scrape() {
              if (worker.isSilent) {
                await refused(figures.prometheus(), 'HR_DEADLINE');
                return shown;
              }
              const text = await figures.prometheus();
              const value = Number(
                text
                  .split('\n')
                  .find((line) => line.startsWith(SERIES))
                  ?.slice(SERIES.length) ?? 0,
              );
              expect(value).toBeGreaterThanOrEqual(shown);
              shown = value;
              return value;
            },
            close: () => monitor.close(),
          };
          return worker;
        };
        const workers: Simulated[] = [];
        for (let at = 0; at < 3; at++) workers.push(start());
        for (const step of actions) {
          const worker = workers[step.at] as Simulated;
          switch (step.kind) {
            case 'answer':
              for (let i = 0; i < step.count; i++) worker.answer();
              worker.counted += step.count;
              break;
            case 'report':
              worker.report();
              break;
            case 'deliver': {
              const report = worker.queue.shift();
              if (report === undefined) break;
              expect(totals.count(worker.id, report)).toBe(true);
              if (step.repeats) expect(totals.count(worker.id, report)).toBe(false);
              break;
            }
            case 'scrape':
              await worker.scrape();
              break;
            case 'silence':
              worker.isSilent = !worker.isSilent;
              break;
            case 'kill': {
              const before = requestsOf(totals);
              totals.leave(worker.id);
              expect(requestsOf(totals)).toBe(before);
              gone += worker.counted;
              worker.close();
              workers[step.at] = start();
              break;
            }
            case 'wait':
              now += step.seconds * MICROS_PER_SECOND;
          }
        }
        const kept = requestsOf(totals);
        let living = 0;
        for (const worker of workers) {
          worker.isSilent = false;
          await worker.scrape();
          living += worker.counted;
        }
        const end = await (workers[0] as Simulated).scrape();
        expect(end).toBe(requestsOf(totals));
        expect(end).toBeGreaterThanOrEqual(Math.max(kept, living));
        expect(end).toBeLessThanOrEqual(living + gone);
        if (gone === 0) expect(end).toBe(living);
        for (const worker of workers) worker.close();
      }),
      { numRuns: runs(60) },
    );
  });

  it('hold back while the owner is silent for minutes, and lose nothing of it', async () => {
    let now = 1_790_000_000_000_000;
    const clock: Clock = { nowMicros: () => now };
    const totals = createTotals(clock);
    const monitor = createMonitor(clock);
    let isSilent = true;
    let sent = 0;
    const figures = createLiveFigures({
      monitor,
      clock,
      channel: {
        send(report) {
          sent++;
          totals.count('w', report);
        },
        ask: () => Promise.resolve(isSilent ? undefined : totals.tell('w')),
      },
    });
    for (let second = 0; second < 500; second++) {
      monitor.endpoint('delay').answered(1000, 1);
      now += MICROS_PER_SECOND;
      figures.report();
    }
    expect(sent).toBe(60);
    expect((await figures.figures()).endpoints[0]?.total.requests).toBe(500);
    await refused(figures.prometheus(), 'HR_DEADLINE');
    isSilent = false;
    await figures.learn();
    figures.report();
    expect(requestsOf(totals)).toBe(500);
    expect(await figures.prometheus()).toContain(`${SERIES} 500\n`);
    monitor.close();
  });
});

function requestsOf(totals: ReturnType<typeof createTotals>): number {
  return totals.figures().endpoints[0]?.total.requests ?? 0;
}
