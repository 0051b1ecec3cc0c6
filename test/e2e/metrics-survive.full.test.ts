// Counters never go backwards, whatever becomes of a worker: a server of two, scraped through the death of one under load.
// twin: test/property/monitoring-totals.test.ts > never go backwards whichever worker is asked
// twin: test/unit/monitoring-monitor.test.ts > sums the figures of all workers as if one had counted them all

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createServingProject, headraceJson, type Project, startServe } from '../support/serving-project.ts';
import { workersOf } from '../support/worker-processes.ts';

let project: Project;
beforeAll(() => {
  project = createServingProject();
});
afterAll(() => project.remove());

const BODY = JSON.stringify({ inputs: [{ customer: 'ada', amount: 1 }] });

const WITHIN = { timeout: 60_000, interval: 50 };
/** A worker reports once a second, and may be late. */
const LAST_MS = 1200;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

// A connection each, so that either worker may get it.
async function answeredStatus(url: string): Promise<number> {
  const headers = { 'content-type': 'application/json', connection: 'close' };
  const response = await fetch(`${url}/v1/endpoints/checkout/predict`, {
    method: 'POST',
    headers,
    body: BODY,
    signal: AbortSignal.timeout(2000),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Every counter of the scrape: its line's name and labels → its value. */
async function scrape(url: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${url}/metrics`, {
    headers: { connection: 'close' },
    signal: AbortSignal.timeout(2000),
  });
  const counters = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    const [, series, value] = /^(headrace_\w+(?:_total|_count|_bucket|_sum)(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
    if (series !== undefined) counters.set(series, Number(value));
  }
  return counters;
}

const requestsIn = (counters: ReadonlyMap<string, number>): number =>
  counters.get('headrace_requests_total{endpoint="checkout"}') ?? 0;

describe('counters of a server with two workers', { timeout: 90_000 }, () => {
  it('never go backwards when a worker is killed under load, and lose at most its last second', async () => {
    const server = await startServe(project, ['--workers', '2']);
    try {
      headraceJson(project, ['endpoints', 'traffic', 'checkout', '--shadow', '2:50']);
      let isOver = false;
      const answeredAt: number[] = [];
      const clients = Array.from({ length: 4 }, async () => {
        while (!isOver) {
          // The killed worker's connections break.
          if ((await answeredStatus(server.url).catch(() => 0)) === 200) answeredAt.push(performance.now());
        }
      });
      const fallen: string[] = [];
      const most = new Map<string, number>();
      let scrapes = 0;
      // Several, since a connection that was on its way to the killed worker is answered by nobody.
      const scrapers = Array.from({ length: 4 }, async () => {
        while (!isOver) {
          const before = new Map(most);
          const now = await scrape(server.url).catch(() => undefined);
          if (now !== undefined) {
            scrapes++;
            // Whatever an answer has told, an answer to what was asked afterwards tells too.
            for (const [series, value] of before) {
              if ((now.get(series) ?? 0) < value) fallen.push(`${series}: ${value}, then ${String(now.get(series))}`);
            }
            for (const [series, value] of now) most.set(series, Math.max(value, most.get(series) ?? 0));
          }
          await pause(20);
        }
      });
      const answeredBefore = (at: number): number => answeredAt.filter((one) => one <= at).length;
      // So that the last second is not all there was.
      await expect.poll(() => answeredBefore(performance.now() - LAST_MS), WITHIN).toBeGreaterThan(100);
      const [victim] = workersOf(server.process.pid as number);
      process.kill(victim as number, 'SIGKILL');
      const killedAt = performance.now();
      const [scraped, answered] = [scrapes, answeredAt.length];
      await expect.poll(() => scrapes, WITHIN).toBeGreaterThan(scraped + 20);
      await expect.poll(() => answeredAt.length, WITHIN).toBeGreaterThan(answered + 100);
      const others = workersOf(server.process.pid as number).filter((one) => one !== victim);
      expect(others).toHaveLength(2);
      isOver = true;
      await Promise.all([...clients, ...scrapers]);

      expect(fallen.slice(0, 5)).toEqual([]);
      const lost = answeredBefore(killedAt + 100) - answeredBefore(killedAt - LAST_MS);
      const counted = async (): Promise<number> => requestsIn(await scrape(server.url));
      await expect.poll(counted, WITHIN).toBeGreaterThanOrEqual(answeredAt.length - lost);
      expect(await counted()).toBeLessThanOrEqual(answeredAt.length + clients.length);
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });

  it('sum what every worker has answered, on whichever is asked', async () => {
    const server = await startServe(project, ['--workers', '2']);
    try {
      for (let sent = 1; sent <= 30; sent++) {
        expect(await answeredStatus(server.url)).toBe(200);
        // At once, but for a machine so busy that a worker does not answer within 300 ms.
        await expect.poll(async () => requestsIn(await scrape(server.url)), WITHIN).toBe(sent);
      }
    } finally {
      expect(await server.stop()).toBe(0);
    }
  });
});
