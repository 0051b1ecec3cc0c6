// The header `grpc-timeout` (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): up to eight digits and a unit.

import { invalid } from '../../../core/index.ts';
import { MAX_TIMEOUT_MS } from '../../http/request-context.ts';

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds; undefined where the call has none. Throws HR_INVALID. */
export function readTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const [, digits, unit] = TIMEOUT.exec(header) ?? [];
  if (digits === undefined || unit === undefined) {
    const message = `expected digits and a unit (H, M, S, m, u, n), got ${JSON.stringify(header.slice(0, 40))}`;
    throw invalid([{ path: 'grpc-timeout', message }]);
  }
  return Math.min(Number(digits) * (UNIT_MS[unit] as number), MAX_TIMEOUT_MS);
}
