// What is told where the AWS environment has no credentials at all: nobody refused any.

import { afterEach, expect, it, vi } from 'vitest';
import { openBuckets } from '../../src/storage/index.ts';

afterEach(() => vi.unstubAllEnvs());

it('says that there are no credentials for S3, and which would be taken', async () => {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'])
    vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere/credentials');
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere/config');
  vi.stubEnv('AWS_REGION', 'us-east-1');
  const buckets = openBuckets({ endpoint: 'http://127.0.0.1:9' });
  await expect(buckets.look('lake', 'orders.parquet')).rejects.toMatchObject({
    code: 'HR_CONFIG',
    message: expect.stringMatching(
      /^there are no credentials for S3 \(.+\); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/,
    ),
  });
});
