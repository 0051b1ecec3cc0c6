// The deadline that a request asks for: whatever its header holds, there is one, and never a later one than the ceiling.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { claimOf } from '../../src/serving/http/request-context.ts';
import { runs } from '../support/tier.ts';

const DEFAULT_MS = 700;
const CEILING_MS = 3_600_000;
const actor = { name: 'test', roles: new Set<never>(), endpoints: null };
const facts = { requestId: 'r', traceId: null, actor, span: undefined };

// Time stands.
const NOW_MS = 5000;
beforeEach(() => void vi.spyOn(performance, 'now').mockReturnValue(NOW_MS));
afterEach(() => void vi.restoreAllMocks());

/** Milliseconds from now until the deadline; undefined where the header is refused. */
function givenMs(headers: IncomingHttpHeaders): number | undefined {
  const socket = { destroyed: false, once: () => undefined };
  try {
    // Nothing else of a request is looked at.
    const request = { headers, socket } as unknown as IncomingMessage;
    return claimOf(request, facts, { requestTimeoutMs: DEFAULT_MS }).deadlineMs - NOW_MS;
  } catch (thrown) {
    if (!(thrown instanceof HeadraceError) || thrown.code !== 'HR_INVALID') throw thrown;
    expect(thrown.details[0]?.path).toBe('X-Request-Timeout-Ms');
    return undefined;
  }
}

describe('X-Request-Timeout-Ms', () => {
  it.each<[what: string, asked: string | undefined, ms: number | undefined]>([
    ['absent, it is the server’s', undefined, DEFAULT_MS],
    ['of whole milliseconds is that', '250', 250],
    ['of the ceiling is that', String(CEILING_MS), CEILING_MS],
    ['with zeros before is that', '0250', 250],
    ['over the ceiling is refused', String(CEILING_MS + 1), undefined],
    ['of more digits than a number keeps is refused', '9'.repeat(30), undefined],
    ['of zero is refused', '0', undefined],
    ['below zero is refused', '-1', undefined],
    ['with a sign is refused', '+5', undefined],
    ['with an exponent is refused', '1e9', undefined],
    ['with a fraction is refused', '1.5', undefined],
    ['of hexadecimal is refused', '0x10', undefined],
    ['of text is refused', 'soon', undefined],
    ['of a number that is none is refused', 'Infinity', undefined],
    ['of nothing is refused', '', undefined],
    ['that came twice is refused, as Node joins them', '250, 500', undefined],
    ['that came twice alike is refused, too', '250, 250', undefined],
  ])('%s', (_what, asked, ms) => {
    expect(givenMs(asked === undefined ? {} : { 'x-request-timeout-ms': asked })).toBe(ms);
  });

  it('of a list is refused', () => {
    expect(givenMs({ 'x-request-timeout-ms': ['250', '500'] })).toBeUndefined();
  });

  it('never takes the deadline away, whatever it holds', () => {
    const number = fc.oneof(fc.integer(), fc.double(), fc.bigInt()).map(String);
    fc.assert(
      fc.property(fc.oneof(fc.string(), number), (asked) => {
        const given = givenMs({ 'x-request-timeout-ms': asked });
        expect(given === undefined || (given > 0 && given <= CEILING_MS)).toBe(true);
      }),
      { numRuns: runs(1000) },
    );
  });
});
