// A disk that was copied while its server ran (a clone of the machine, a volume's snapshot) is started beside it: what the
// server acknowledged, and goes on to acknowledge, still counts.

import { cpSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { formatTimestamp, MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../../src/core/index.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, NOW, openIngestionWorld } from '../support/ingestion-world.ts';
import { materializeAll } from '../support/offline-beside.ts';
import { type OnlineStoreKind, onlineStoreKinds } from '../support/online-stores.ts';
import { rows } from '../support/tier.ts';

const definitions = eventDefinitions();
const { manifest } = definitions;
/** A server whose log another holds can't end it. */
const CLOSE_LIMIT_MS = 500;

let world: IngestionWorld;
afterEach(() => world.close());

const rowsRead = async () => Number((await world.valuesOf(manifest, 'k', NOW + MICROS_PER_SECOND))['rows']);

interface Story {
  /** Whether the copy is started. */
  readonly isCopied: boolean;
  /** Whether the server looks at the registry before its last push. */
  readonly looks: boolean;
}

/** Pushes to a server before and after its disk is copied and the copy is started: what counts at each stage. */
async function tell(kind: OnlineStoreKind, { isCopied, looks }: Story) {
  world = await openIngestionWorld(kind);
  let acknowledged = 0;
  const server = await world.open({ definitions: () => definitions, machine: 'a', closeLimitMs: CLOSE_LIMIT_MS });
  const push = async (): Promise<void> => {
    const row = { k: 'k', happened: formatTimestamp(NOW - MICROS_PER_MINUTE), x: acknowledged };
    const pushed = await server.ingestion.push('events', [row]).catch(() => undefined);
    acknowledged += pushed?.accepted ?? 0;
  };
  for (let i = 0; i < 3; i++) await push();
  if (isCopied) cpSync(world.logPath('a'), world.logPath('copy'), { recursive: true });
  await push();
  const copy = await world.open({ definitions: () => definitions, machine: 'copy' });
  await copy.ingestion.settle();
  if (looks) await server.ingestion.look();
  await push();
  const living = await rowsRead();
  await server.close().catch(() => {});
  await copy.close().catch(() => {});
  return { acknowledged, living, run: await materializeAll(world, definitions), afterRun: await rowsRead() };
}

const kinds = onlineStoreKinds();

describe.each(rows(kinds.slice(0, 1), kinds.slice(1)))('on $name', (kind) => {
  it('a server whose disk nobody copied: each push counts', async () => {
    const told = await tell(kind, { isCopied: false, looks: true });
    expect(told).toEqual({ acknowledged: 5, living: 5, run: 'finished', afterRun: 5 });
  });

  it.each([
    ['before it looks at the registry', false],
    ['once it has looked at the registry', true],
  ])(
    'one whose disk was copied: what it acknowledges counts, and its log can be read, %s (datapath/V1)',
    async (_, looks) => {
      const { acknowledged, ...told } = await tell(kind, { isCopied: true, looks });
      expect(told).toEqual({ living: acknowledged, run: 'finished', afterRun: acknowledged });
    },
  );
});
