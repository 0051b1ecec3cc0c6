// The log as it is written: what failed is told with its words and where it was thrown, and with what caused it.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const source = (path: string): string => fileURLToPath(new URL(`../../src/${path}`, import.meta.url));

const SCRIPT = `
  const { createLogger } = await import(${JSON.stringify(source('app/logger.ts'))});
  const { createRequestLog } = await import(${JSON.stringify(source('serving/http/request-log.ts'))});
  const { toHeadraceError } = await import(${JSON.stringify(source('core/index.ts'))});
  function giveWay() { throw new TypeError('the floor gave way'); }
  const asked = { requestId: 'seen', traceId: null, method: 'GET', route: '/v1/status' };
  const log = createRequestLog(createLogger('info'), 'errors', () => {});
  try { giveWay(); } catch (thrown) { log.failed(() => asked, toHeadraceError(thrown)); }
`;

it('has what a 500 is about: its message and the stack of what was thrown', () => {
  const { stderr } = spawnSync(
    process.execPath,
    ['--conditions=headrace-source', '--input-type=module', '--eval', SCRIPT],
    { encoding: 'utf8' },
  );
  const line = stderr.split('\n').find((text) => text.includes('request failed'));
  expect(JSON.parse(line ?? expect.fail(stderr))).toMatchObject({
    level: 'error',
    msg: 'request failed',
    requestId: 'seen',
    status: 500,
    code: 'HR_INTERNAL',
    err: { message: 'the floor gave way', cause: { type: 'TypeError', stack: expect.stringContaining('giveWay') } },
  });
});
