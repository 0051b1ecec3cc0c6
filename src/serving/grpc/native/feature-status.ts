// Statuses of features as headrace.v1.FeatureStatus: their places among the online store's, from 1.

import { STATUSES } from '../../../online/index.ts';

const CODES = new Map(STATUSES.map((status, at) => [status, at + 1]));

export function statusCode(status: (typeof STATUSES)[number]): number {
  return CODES.get(status) ?? 0;
}
