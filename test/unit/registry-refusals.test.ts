// What the audit log gets of changes that are refused: each, until somebody makes very many; and the refusal whatever becomes of it.

import { expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { createTellRefusal } from '../../src/registry/refusals.ts';
import type { AuditEntry, RegistryDb } from '../../src/registry/store.ts';

const FULL = new Error('the disk is full');

function setUp() {
  const written: AuditEntry[] = [];
  const at = { nowMs: 0, isFull: false };
  const store = {
    // Handed on, never asked.
    db: {} as RegistryDb,
    writeAudit(_db: RegistryDb, entry: AuditEntry): Promise<void> {
      if (at.isFull) return Promise.reject(FULL);
      written.push(entry);
      return Promise.resolve();
    },
  };
  const tellRefusal = createTellRefusal(store, () => at.nowMs);
  const refuse = (actor: string, thrown: Error = new HeadraceError('HR_PRECONDITION', 'the ETag has passed')) =>
    tellRefusal({ actor, action: 'endpoint.traffic', object: 'endpoint/delay', reason: undefined }, () =>
      Promise.reject(thrown),
    ).catch((caught: unknown) => caught);
  return { at, written, refuse };
}

const untoldOf = ({ after }: AuditEntry): unknown => (after as { readonly untold?: number }).untold;

it('has twenty refusals of an actor in a row, then six hundred an hour, each with how many it leaves out', async () => {
  const { at, written, refuse } = setUp();
  for (let count = 0; count < 300; count++) await refuse('bob');
  expect(written).toHaveLength(20);
  expect(written.map(untoldOf)).toEqual(Array.from({ length: 20 }, () => undefined));
  await refuse('ann');
  expect(written[20]).toMatchObject({ actor: 'ann', after: { refused: 'HR_PRECONDITION' } });
  at.nowMs += 6000;
  await refuse('bob');
  await refuse('bob');
  expect(written).toHaveLength(22);
  expect(written[21]).toMatchObject({ actor: 'bob', after: { refused: 'HR_PRECONDITION', untold: 280 } });
  at.nowMs += 6000;
  await refuse('bob');
  expect(written.slice(22).map(untoldOf)).toEqual([1]);
});

it('throws the refusal, with why it could not be written, and counts it in the next row', async () => {
  const { at, written, refuse } = setUp();
  at.isFull = true;
  const refusal = new HeadraceError('HR_PRECONDITION', 'the ETag has passed');
  expect(await refuse('bob', refusal)).toBe(refusal);
  expect(refusal.cause).toBe(FULL);
  await refuse('bob');
  at.isFull = false;
  await refuse('bob');
  expect(written.map(untoldOf)).toEqual([2]);
});
