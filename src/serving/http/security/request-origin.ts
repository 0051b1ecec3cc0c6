// Whether a request comes from a web page of another site. Browsers say so, and a page can't keep them from it.

import type { IncomingHttpHeaders } from 'node:http';
import { HeadraceError } from '../../../core/index.ts';

/**
 * Throws HR_FORBIDDEN for a request of another site's page: such a page reaches whatever its reader's machine reaches. A page of
 * the server's own host is no other.
 */
export function refuseForeignPage({ origin, host, 'sec-fetch-site': site }: IncomingHttpHeaders): void {
  if (origin === undefined && site === undefined) return;
  if (site === 'cross-site')
    throw new HeadraceError(
      'HR_FORBIDDEN',
      'the request comes from a page of another site (Sec-Fetch-Site: cross-site).',
    );
  if (origin === undefined || isOwn(origin, host)) return;
  const sentence = `the request comes from a page of ${origin.slice(0, 200)}, and the server is ${(host ?? 'another').slice(0, 200)}.`;
  throw new HeadraceError('HR_FORBIDDEN', sentence);
}

// The scheme is left out: a proxy may have taken TLS off. A default port is written nowhere or in both.
function isOwn(origin: string, host: string | undefined): boolean {
  const place = /^https?:\/\/([^/?#]+)$/i.exec(origin)?.[1];
  if (place === undefined || host === undefined) return false;
  const port = /^https:/i.test(origin) ? ':443' : ':80';
  const bare = (text: string): string =>
    text.toLowerCase().endsWith(port) ? text.toLowerCase().slice(0, -port.length) : text.toLowerCase();
  return bare(place) === bare(host);
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Names by which an open loopback server answers: any other may be a web page's that was pointed here (DNS rebinding).
 * `boundTo` is the address that it listens on.
 */
export function createHostCheck(boundTo: string): (host: string | undefined) => void {
  const names = new Set([...LOOPBACK_NAMES, boundTo.includes(':') ? `[${boundTo}]` : boundTo.toLowerCase()]);
  return (host = '') => {
    if (names.has(host.replace(/:\d{1,5}$/, '').toLowerCase())) return;
    const came = host === '' ? 'no Host' : `Host "${host.slice(0, 200)}"`;
    const sentence = `the request has ${came}; a server without keys answers only to ${LOOPBACK_NAMES.join(', ')}. \`headrace keys create\` makes a key.`;
    throw new HeadraceError('HR_MISDIRECTED', sentence);
  };
}
