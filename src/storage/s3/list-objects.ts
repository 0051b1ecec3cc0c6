// The objects under a prefix, page after page.

import type { _Object as Listed, S3Client } from '@aws-sdk/client-s3';
import type { S3Sdk } from './connect-s3.ts';

/** `ask` runs a call, with errors of the catalogue. */
export async function* listObjects(
  ask: <R>(call: (client: S3Client, sdk: S3Sdk) => Promise<R>) => Promise<R>,
  bucket: string,
  prefix: string,
): AsyncIterable<Listed> {
  let token: string | undefined;
  do {
    const page = await ask((client, { ListObjectsV2Command }) =>
      client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: prefix,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      ),
    );
    yield* page.Contents ?? [];
    token = page.NextContinuationToken;
  } while (token !== undefined);
}

/** An etag without its quotes. */
export const plainEtag = (etag: string): string => etag.replaceAll('"', '');
