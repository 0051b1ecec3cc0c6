// What every request is held to before it is asked whose it is: node:http would refuse some of it with a bare status, and take
// the rest as it comes.

import type { IncomingMessage } from 'node:http';
import { HeadraceError, invalid } from '../../../core/index.ts';
import { quoted } from '../request-context.ts';

/** Headers of one request: far more than any client sends. */
const MOST_HEADERS = 100;
/** As node:http looks for it. */
const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i;

/** HR_INVALID for a request that no server should answer; undefined for any other. */
export function malformed({ headers, rawHeaders, httpVersion }: IncomingMessage): HeadraceError | undefined {
  if (rawHeaders.length > 2 * MOST_HEADERS)
    return new HeadraceError('HR_INVALID', `the request has more than ${MOST_HEADERS} headers.`);
  const hosts = headers.host === undefined ? 0 : countHosts(rawHeaders);
  if (hosts === 0 && httpVersion === '1.1')
    return invalid([{ path: 'Host', message: 'expected one, as HTTP/1.1 asks, got none' }]);
  if (hosts > 1) {
    const all = rawHeaders.filter((_, at) => at % 2 === 1 && isHost(rawHeaders[at - 1]));
    return invalid([{ path: 'Host', message: `expected one, got ${hosts}: ${quoted(all.join(', '))}` }]);
  }
  const { expect } = headers;
  // A client of HTTP/1.0 can expect nothing.
  if (expect === undefined || httpVersion !== '1.1' || CONTINUE.test(expect)) return undefined;
  return invalid([{ path: 'Expect', message: `expected 100-continue, got ${quoted(expect)}` }]);
}

/** Of names and values as they came: node:http shows the first of several. */
export function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) if (isHost(rawHeaders[at])) count++;
  return count;
}

const isHost = (name: string | undefined): boolean => name?.length === 4 && name.toLowerCase() === 'host';
