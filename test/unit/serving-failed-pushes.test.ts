// Whose mistake a push that was not taken counts as.

import { expect, it } from 'vitest';
import { createScope, type ErrorCode, HeadraceError } from '../../src/core/index.ts';
import { createIngestPlane } from '../../src/serving/ingest-plane.ts';

it.each<[ErrorCode, string[]]>([
  ['HR_INVALID', ['refused']],
  ['HR_IDEMPOTENCY', ['refused']],
  ['HR_PUSH_LOST', ['refused']],
  ['HR_INTEGER_OVERFLOW', ['failed']],
  ['HR_LOG_DAMAGED', ['failed']],
  ['HR_CODE_ALTERED', ['failed']],
  ['HR_ONLINE_UNAVAILABLE', ['failed']],
  ['HR_UNKNOWN_SOURCE', []],
])('%s', async (code, outcomes) => {
  const counted: string[] = [];
  const plane = createIngestPlane(
    { monitor: { recordPush: ({ outcome }: { outcome: string }) => counted.push(outcome) } } as never,
    {
      ingestion: { push: () => Promise.reject(new HeadraceError(code, 'not taken')) },
      inFlight: { enter() {}, leave() {} },
      wake: { awake: () => Promise.resolve() },
    } as never,
  );
  const scope = createScope({ requestId: 'r', traceId: null, deadlineMs: Infinity, priority: 'online' } as never);
  await expect(plane.push('s', [], undefined, scope)).rejects.toMatchObject({ code });
  expect(counted).toEqual(outcomes);
});
