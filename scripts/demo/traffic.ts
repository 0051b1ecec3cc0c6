// Travellers who ask whether their flight will be late, at a steady rate; what became of each flight is told right after.

import { Agent, request } from 'node:http';
import type { LandedDeparture } from './departures.ts';

export interface Travellers {
  /** What was answered so far, by version; what failed, by error code. */
  readonly answered: ReadonlyMap<number, number>;
  readonly failed: ReadonlyMap<string, number>;
  /** Ends the last requests. */
  stop(): Promise<void>;
}

interface Answer {
  readonly code?: string;
  readonly predictions?: readonly [
    { readonly prediction_id: string; readonly version: number; readonly outputs: { readonly probability: number } },
  ];
}

/** How often requests are sent, each time as many as are due. */
const TICK_MS = 20;
/** More at a time are not asked: a slow server is asked less. */
const MOST_AT_ONCE = 64;

/**
 * What a forecast costs, in minutes: who was warned leaves 20 minutes for it; who was not, and is late, loses an hour. What the
 * demo's experiment compares.
 */
function costOf(probability: number, isLate: boolean): number {
  if (probability >= 1 / 3) return 20;
  return isLate ? 60 : 0;
}

export function startTravellers(url: string, departures: readonly LandedDeparture[], perSecond: number): Travellers {
  const agent = new Agent({ keepAlive: true, maxSockets: MOST_AT_ONCE });
  const answered = new Map<number, number>();
  const failed = new Map<string, number>();
  const running = new Set<Promise<void>>();
  let outcomes: object[] = [];
  let next = 0;
  let due = 0;

  const ask = async ({ request: input, isLate }: LandedDeparture): Promise<void> => {
    const { status, body } = await post(agent, `${url}/v1/endpoints/delay/predict`, { inputs: [input] });
    const prediction = body.predictions?.[0];
    if (status !== 200 || prediction === undefined) {
      const code = body.code ?? String(status);
      failed.set(code, (failed.get(code) ?? 0) + 1);
      return;
    }
    answered.set(prediction.version, (answered.get(prediction.version) ?? 0) + 1);
    const { prediction_id } = prediction;
    outcomes.push({ prediction_id, value: costOf(prediction.outputs.probability, isLate) });
  };
  const tell = async (): Promise<void> => {
    const told = outcomes;
    outcomes = [];
    if (told.length > 0) await post(agent, `${url}/v1/endpoints/delay/outcomes`, { outcomes: told });
  };
  const begin = (work: Promise<void>): void => {
    const ended = work
      .catch((error: unknown) => {
        const code = error instanceof Error ? error.message : String(error);
        failed.set(code, (failed.get(code) ?? 0) + 1);
      })
      .finally(() => running.delete(ended));
    running.add(ended);
  };

  const asking = setInterval(() => {
    due += (perSecond * TICK_MS) / 1000;
    for (; due >= 1; due--) {
      if (running.size >= MOST_AT_ONCE) continue;
      begin(ask(departures[next++ % departures.length] as LandedDeparture)); // within its length
    }
  }, TICK_MS);
  const telling = setInterval(() => begin(tell()), 500);
  return {
    answered,
    failed,
    async stop() {
      clearInterval(asking);
      clearInterval(telling);
      await Promise.all(running);
      await tell();
      agent.destroy();
    },
  };
}

function post(agent: Agent, url: string, body: object): Promise<{ readonly status: number; readonly body: Answer }> {
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      let answer = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
      response.on('end', () => {
        // The documented answer, or an error's.
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(answer) as Answer });
      });
    });
    sent.on('error', reject);
    sent.end(text);
  });
}
