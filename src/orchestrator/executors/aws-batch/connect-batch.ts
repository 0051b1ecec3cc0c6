// The one way to AWS Batch: a client of the SDK, imported when first needed, whose region, endpoint and credentials are the
// AWS environment's own.

import type { BatchClient } from '@aws-sdk/client-batch';

export type BatchSdk = typeof import('@aws-sdk/client-batch');

export interface BatchConnection {
  readonly sdk: BatchSdk;
  readonly client: BatchClient;
}

const CONNECT_LIMIT_MS = 5_000;
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** `silenceMs`: how long Batch may say nothing before a request counts as unanswered. */
export async function connectBatch(silenceMs: number): Promise<BatchConnection> {
  const sdk = await import('@aws-sdk/client-batch');
  const client = new sdk.BatchClient({
    logger: silent,
    // The SDK would send SubmitJob again after an answer that was lost, and make a second job of it: who asks repeats.
    maxAttempts: 1,
    requestHandler: { connectionTimeout: CONNECT_LIMIT_MS, socketTimeout: silenceMs },
  });
  return { sdk, client };
}
