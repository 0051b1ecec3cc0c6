// A rollout is dated by the clock that all servers share, also by a process whose own clock goes off while it is up.

import { afterEach, expect, it, vi } from 'vitest';
import { sharedRollouts } from '../../src/app/open-rollouts.ts';
import { flightsManifest } from '../support/manifests.ts';
import { onEachRegistry } from '../support/registries.ts';

const MINUTE_MS = 60_000;
const by = { actor: 'ann', isAdmin: true };

onEachRegistry('a rollout', (given) => {
  afterEach(() => void vi.restoreAllMocks());

  it('is dated by the database, though this process’ clock was set since it began', async ({ skip }) => {
    // A file has no clock of its own.
    if (given.database.kind === 'sqlite') skip();
    await given.apply(flightsManifest);
    for (const _ of [1, 2]) await given.register();
    const rollouts = sharedRollouts(
      async () => given.database,
      async () => given.registry,
      { nowMicros: () => Date.now() * 1000 },
    );
    await (await rollouts()).list();
    const [right, since] = [Date.now, performance.now.bind(performance)];
    vi.spyOn(Date, 'now').mockImplementation(() => right() + 30 * MINUTE_MS);
    // The skew is looked at once a minute.
    vi.spyOn(performance, 'now').mockImplementation(() => since() + 2 * MINUTE_MS);
    const { events } = await (await rollouts()).start({ endpoint: 'delay', candidate: 2 }, by);
    const offMinutes = ((events[0]?.atMicros ?? 0) / 1000 - right()) / MINUTE_MS;
    expect(Math.abs(offMinutes)).toBeLessThan(10);
  });
});
