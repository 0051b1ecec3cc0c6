// Rows that a run did not answer and that wait to run once more: for as long as somebody waits for them.

import { expect, it } from 'vitest';
import type { Batch } from '../../src/models/queue/queued-job.ts';
import { scopeOf } from '../support/model-works.ts';
import { openCore } from '../support/open-core.ts';

function openTold() {
  const core = openCore();
  const told: string[] = [];
  const submit = (name: string, scope = scopeOf()): void =>
    core.submit({
      count: 1,
      scope,
      bind() {},
      done: () => void told.push(`${name} done`),
      failed: ({ code }) => void told.push(`${name} ${code}`),
    });
  const take = (): Batch => core.take(performance.now()) as Batch;
  return { core, told, submit, take };
}

it.each(['crashed', 'putBack'] as const)('are told while they wait that they are cancelled or late: %s', (what) => {
  const { core, told, submit, take } = openTold();
  const gone = scopeOf();
  submit('gone', gone);
  submit('late', scopeOf({ timeoutMs: 10_000 }));
  submit('patient', scopeOf({ timeoutMs: 60_000 }));
  if (what === 'crashed') core.crashed(take(), 'its thread ended');
  else core.putBack(take());
  gone.cancel();
  core.sweep(performance.now() + 20_000);
  expect(told).toEqual(['late HR_DEADLINE', 'gone HR_CANCELLED']);
  expect(core.statistics()).toMatchObject({ queuedRows: 1, refused: { cancelled: 1, deadline: 1 } });
  core.succeeded(take(), [], 1);
  expect(told).toEqual(['late HR_DEADLINE', 'gone HR_CANCELLED', 'patient done']);
});

it('that came back from a thread which never began with them are counted as waiting once', () => {
  const core = openCore();
  const began: number[] = [];
  core.submit({
    count: 2,
    scope: scopeOf(),
    began: (rows) => void began.push(rows),
    bind() {},
    done() {},
    failed() {},
  });
  core.putBack(core.take(performance.now() + 1000) as Batch);
  const { waitMicros } = core.statistics();
  core.succeeded(core.take(performance.now() + 5000) as Batch, [], 1);
  expect(core.statistics()).toMatchObject({ waitedRows: 2, waitMicros });
  expect(began).toEqual([2]);
});
