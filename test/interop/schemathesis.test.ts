// The typed OpenAPI document in the hands of another's client: Schemathesis makes thousands of requests from it, right and
// wrong ones. None is answered with a 5xx, and every answer is what the document says of it.

import { expect, it, onTestFinished } from 'vitest';
import { openServing } from '../support/open-serving.ts';
import { bringSchemathesis } from '../support/schemathesis.ts';
import { skipBecause } from '../support/skips.ts';
import { isFull } from '../support/tier.ts';
import { TYPED_REPOSITORY } from '../support/typed-shop.ts';

const schemathesis = bringSchemathesis();
if (typeof schemathesis === 'string') skipBecause(`Schemathesis against the OpenAPI document: ${schemathesis}`);

it.skipIf(typeof schemathesis === 'string')(
  'Schemathesis finds no answer that the document does not tell of, and no 5xx',
  async () => {
    if (typeof schemathesis === 'string') throw new Error('it is skipped then');
    const open = await openServing({ repository: TYPED_REPOSITORY, features: 3 });
    onTestFinished(() => open.close());
    const conforms = ['status_code', 'content_type', 'response_schema'].map((what) => `${what}_conformance`);
    const { code, output } = await schemathesis.run(`${open.serving.url}/openapi.json`, {
      directory: open.project.directory,
      limitSeconds: 240,
      examples: isFull ? 150 : 5,
      checks: ['not_a_server_error', ...conforms],
      excludedPaths: ['/v1/monitoring/stream'],
      // With a millisecond for the deadline a 504 is right.
      headers: { 'X-Request-Timeout-Ms': '60000' },
    });
    const [, cases = '0'] = /(\d+) generated/.exec(output) ?? [];
    console.log(`Schemathesis: ${cases} cases`);
    expect({ code, failed: / failed| failure|errored/.test(output) }, output).toEqual({ code: 0, failed: false });
    expect(Number(cases)).toBeGreaterThan(200);
  },
);
