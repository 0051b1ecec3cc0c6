// Why a request changes what is served, as its sender says.

import type { FastifyRequest } from 'fastify';
import { withoutKeySecrets } from '../../../core/index.ts';

const MOST_CHARACTERS = 500;

/** The X-Reason header, for the audit log; what can't be printed is left out, and so is the secret of a key. */
export function reasonOf({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  const text = headers['x-reason'];
  if (typeof text !== 'string') return undefined;
  // A header's bytes come as Latin-1; most clients send UTF-8.
  const printable = Buffer.from(text, 'latin1')
    .toString('utf8')
    .replaceAll(/[\p{C}\ufffd]/gu, '');
  const reason = withoutKeySecrets(printable).trim().slice(0, MOST_CHARACTERS);
  return reason === '' ? undefined : reason;
}
