// A version that shadows and hangs, for longer than anybody waits: what is answered and counted is as without it, what it does not
// get is counted, and no more rows wait for it than have their place.
// twin: test/unit/serving-shadow-runner.test.ts > a run past its deadline

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { patientModel } from '../support/onnx-model.ts';
import { expectUntouched, openRolloutServers, type RolloutServers, SAME, STABLE } from '../support/rollout-servers.ts';

/** More than a minute of it, on any machine; of some 100 ns a round. */
const FOREVER = 1e9;
const HANGS = 4;
/** The ring of a process, and what it has taken out of it for runs that nobody ends. */
const MOST_WAITING = 1024 + 4 * 64;
const ROWS = 400;

describe('a shadow that hangs', { timeout: 60_000 }, () => {
  let world: RolloutServers;
  beforeAll(async () => {
    // Slow enough for a thread of its own.
    world = await openRolloutServers({ versions: [patientModel(20_000)], envs: () => [{}] });
  }, 90_000);
  afterAll(() => world?.close());

  const url = (path: string): string => `${world.servers[0]?.url}${path}`;
  const send = async (method: string, path: string, body: object): Promise<{ status: number; body: object }> => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url(path), { method, headers, body: JSON.stringify(body) });
    return { status: response.status, body: (await response.json()) as object };
  };
  const predict = async (...xs: readonly number[]): Promise<void> => {
    const inputs = xs.map((x) => ({ x }));
    const { status, body } = await send('POST', '/v1/endpoints/checkout/predict', { inputs });
    expect({ status, body }).toMatchObject({ status: 200, body: { predictions: xs.map(() => ({ version: STABLE })) } });
  };
  const setShadows = (shadows: object[]) =>
    send('PUT', '/v1/endpoints/checkout', { variants: [{ name: 'stable', version: STABLE, weight: 100 }], shadows });
  interface Told {
    readonly pairs: number;
    readonly errors: number;
    readonly dropped: Readonly<Record<string, number>>;
  }
  const told = async (): Promise<Told> => {
    const answer = await (await fetch(url('/v1/endpoints/checkout/shadows'))).json();
    // Its schema is the route's.
    return (answer as { readonly shadows: readonly [Told] }).shadows[0];
  };
  const metric = async (name: string): Promise<number> => {
    const lines = (await (await fetch(url('/metrics'))).text()).split('\n').filter((line) => line.startsWith(name));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  };
  const settled = ({ pairs, errors, dropped }: Told): number =>
    Object.values(dropped).reduce((sum, n) => sum + n, pairs + errors);

  let sent = 0;
  it('takes nothing from what is answered, and has so many rows waiting and no more', async () => {
    expect(await setShadows([{ version: HANGS, percent: 100 }])).toMatchObject({ status: 200 });
    const waiting = async (): Promise<number> => sent - settled(await told());
    const send = async (...xs: readonly number[]): Promise<void> => {
      await predict(...xs);
      sent += xs.length;
    };
    await send(1);
    await expect.poll(async () => settled(await told()), { timeout: 10_000 }).toBe(1);
    await send(FOREVER);
    const startMs = performance.now();
    // Past the five seconds that a run is waited for, so that others follow it.
    do {
      await send(...Array.from({ length: ROWS }, (_, at) => (at === 0 ? FOREVER : at / 10)));
      // Sooner than any of them would be dropped for its age.
      if (sent > 3 * MOST_WAITING) await expect.poll(waiting, { timeout: 2000 }).toBeLessThanOrEqual(MOST_WAITING);
    } while (performance.now() - startMs < 6500 || sent < 10 * MOST_WAITING);
    const { dropped } = await told();
    expect(dropped['full']).toBeGreaterThan(0);
    expect(dropped['late']).toBeGreaterThan(0);
    const stable = 'endpoint="checkout",variant="stable",version="1"';
    await expect.poll(() => metric(`headrace_predictions_total{${stable}}`), { timeout: 5000 }).toBe(sent);
    expect(await metric(`headrace_prediction_errors_total{${stable}`)).toBe(0);
  });

  it('lets a rollout go on beside it', async () => {
    world.ask();
    const { id } = await world.start({ candidate: SAME, steps: [50], hold: '10m' });
    const meanwhile = await world.during(() => world.until(id, ({ state }) => state === 'watching'));
    expect(meanwhile.filter(({ status }) => status !== 200)).toEqual([]);
    expectUntouched(await world.more(60), [STABLE, SAME], [0]);
    await world.rest();
  });

  it('is taken away, and lets its server stop', async () => {
    await fetch(url(`/v1/rollouts`)).then(async (answer) => {
      const { rollouts } = (await answer.json()) as { readonly rollouts: readonly [{ readonly id: string }] };
      expect((await fetch(url(`/v1/rollouts/${rollouts[0].id}/abort`), { method: 'POST' })).status).toBe(200);
    });
    expect(await setShadows([])).toMatchObject({ status: 200, body: { shadows: [] } });
    expect(await world.servers[0]?.stop()).toBe(0);
  });
});
