// Claims of Idempotency-Keys on their way to the store.

import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import { createClaimDesk } from '../../src/ingestion/claim-desk.ts';
import type { Claim } from '../../src/online/index.ts';

const claimOf = (id: string): Claim => ({ id, writer: 1, offset: 0, payloadHash: 'h' });

const DURABLE = { disk: true, replicas: 1 };

/** A desk, and the ids that each round trip took to its store. */
function openDesk() {
  const trips: string[][] = [];
  const take = (claims: readonly Claim[]) => void trips.push(claims.map(({ id }) => id));
  const desk = createClaimDesk(
    {
      async claim(claims, onDurable) {
        take(claims);
        claims.forEach((_, index) => onDurable?.(index, DURABLE));
        return [...claims];
      },
      finish: async (claims) => take(claims),
      release: async () => {},
      nodeOfClaim: (id) => id.slice(0, 1),
    },
    silentLogger,
  );
  return { desk, trips };
}

it('takes what came together in one round trip to each node', async () => {
  const { desk, trips } = openDesk();
  const claims = ['a1', 'b1', 'a2'].map(claimOf);
  expect(await Promise.all(claims.map((claim) => desk.claim(claim)))).toEqual(
    claims.map((holding) => ({ holding, durable: DURABLE })),
  );
  expect(trips).toEqual([['a1', 'a2'], ['b1']]);
});

it('asks the store for nothing once it is closed, neither for what waits nor for what comes', async () => {
  const { desk, trips } = openDesk();
  void desk.claim(claimOf('a1'));
  void desk.finish(claimOf('a1'));
  desk.close();
  void desk.claim(claimOf('b1'));
  for (let i = 0; i < 3; i++) await turn();
  expect(trips).toEqual([]);
});
