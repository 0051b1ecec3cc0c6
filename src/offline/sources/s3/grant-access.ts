// Lets DuckDB read buckets by itself, with its extension httpfs and the credentials that the SDK found.

import { quoteName, quoteText, type S3Access, SILENCE_LIMIT_MS } from '../../../storage/index.ts';
import type { PlaceDeps } from '../source-deps.ts';
import { bucketsOf } from './buckets-of.ts';
import { told } from './find-objects.ts';

const RETRIES = 4;

/** False where httpfs can't be had. Credentials may have been renewed, so they are given anew for each run. */
export async function grantAccess(buckets: Iterable<string>, owner: string, deps: PlaceDeps): Promise<boolean> {
  if ((await deps.duckdb.extension('httpfs')) !== undefined) return false;
  const connection = await deps.duckdb.connect();
  try {
    await connection.run(`SET GLOBAL http_retries = ${RETRIES}`);
    const silenceMs = deps.remote?.s3?.silenceMs ?? SILENCE_LIMIT_MS;
    await connection.run(`SET GLOBAL http_timeout = ${Math.ceil(silenceMs / 1000)}`);
    for (const bucket of new Set(buckets)) {
      const access = await told(owner, () => bucketsOf(deps).access(bucket));
      await connection.run(secretSql(bucket, access));
    }
    return true;
  } finally {
    connection.closeSync();
  }
}

// In memory, and of this instance alone. Its name and scope hold no secret.
function secretSql(bucket: string, access: S3Access): string {
  const { host, isSecure, isPathStyle, region, accessKeyId, secretAccessKey, sessionToken } = access;
  const members = [
    'TYPE s3',
    // Tables of a lake have such addresses, too.
    `SCOPE [${['s3', 's3a', 's3n'].map((scheme) => quoteText(`${scheme}://${bucket}`)).join(', ')}]`,
    `KEY_ID ${quoteText(accessKeyId)}`,
    `SECRET ${quoteText(secretAccessKey)}`,
    ...(sessionToken === undefined ? [] : [`SESSION_TOKEN ${quoteText(sessionToken)}`]),
    `REGION ${quoteText(region)}`,
    `ENDPOINT ${quoteText(host)}`,
    `URL_STYLE ${isPathStyle ? "'path'" : "'vhost'"}`,
    `USE_SSL ${isSecure}`,
  ];
  return `CREATE OR REPLACE SECRET ${quoteName(`__hr_s3_${bucket}`)} (${members.join(', ')})`;
}
