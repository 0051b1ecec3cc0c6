// Ids of runs sort by time: 20261125-031500-9f3a61.

import { randomBytes } from 'node:crypto';
import type { Micros } from '../core/index.ts';

export function newRunId(now: Micros): string {
  const stamp = new Date(now / 1000).toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `${stamp}-${randomBytes(3).toString('hex')}`;
}
