// What `headrace audit` says of changes that came to nothing, beside those that did not.

import { expect, it } from 'vitest';
import { type App, readEnvironment } from '../../src/app/index.ts';
import { auditCommand } from '../../src/cli/audit.ts';
import { type Json, silentProgress } from '../../src/core/index.ts';
import type { AuditRecord } from '../../src/registry/index.ts';

async function tableOf(changes: readonly Json[], args: readonly string[] = []): Promise<string> {
  const records = changes.map(
    (after, at): AuditRecord => ({
      id: at + 1,
      atMicros: 0,
      actor: 'anonymous 127.0.0.1',
      action: 'endpoint.traffic',
      object: 'endpoint/delay',
      before: null,
      after,
      reason: null,
    }),
  );
  const auditLog = {
    list: async ({ limit, object }: { limit: number; object?: string }) =>
      records.filter((one) => object === undefined || one.object === object).slice(0, limit),
  };
  const printed: string[] = [];
  const command = auditCommand({
    environment: readEnvironment({}),
    stdout: (text) => printed.push(text),
    stderr: () => {},
    progress: () => silentProgress,
    exitCode: 0,
    // All that the command asks of it.
    openApp: async () => ({ registry: async () => ({ auditLog }), close: async () => {} }) as unknown as App,
  });
  await command.parseAsync(args, { from: 'user' });
  return printed.join('');
}

const FAILURES = [{ server: 'a:1', reason: 'HR_MODEL_SIGNATURE: no input x' }];

it('says why servers refused a change that failed, and nothing of one that went on without them', async () => {
  const failed = await tableOf([{ state: 'failed', failures: FAILURES }]);
  expect(failed).toContain('HR_NOT_PREPARED: a:1: HR_MODEL_SIGNATURE: no input x');
  for (const state of ['done', 'preparing'])
    expect(await tableOf([{ state, failures: FAILURES }])).not.toContain('a:1');
  expect(await tableOf([{ state: 'failed' }])).not.toContain('HR_NOT_PREPARED');
});

it('says what was refused when it was asked for, and how many refusals before it were not written', async () => {
  const refused = { refused: 'HR_FORBIDDEN', detail: 'no role' };
  expect(await tableOf([refused])).toMatch(/HR_FORBIDDEN: no role\s*$/m);
  expect(await tableOf([{ ...refused, untold: 7 }])).toContain('HR_FORBIDDEN: no role (and 7 before it that were not');
});

it('lists one object alone where it is named', async () => {
  expect(await tableOf([null], ['--object', 'endpoint/delay'])).toContain('endpoint.traffic');
  expect(await tableOf([null], ['--object', 'endpoint/other'])).toContain('Nothing is told of "endpoint/other"');
  expect(await tableOf([])).toContain('Nothing was changed yet.');
});

it('says that there are more rows only where there are', async () => {
  expect(await tableOf([null, null], ['--limit', '2'])).not.toContain('There are more');
  expect(await tableOf([null, null, null], ['--limit', '2'])).toContain('There are more rows than these 2');
});
