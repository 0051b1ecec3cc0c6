// Objects in an S3 bucket under a prefix. The SDK is imported when first needed; `ifAbsent` is If-None-Match,
// which S3 decides atomically.

import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3';
import { HeadraceError } from '../../../core/index.ts';
import type { ObjectInfo, ObjectStore } from '../../object-store.ts';
import { connectS3, type S3Connection, type S3Options, type S3Sdk } from '../../s3/connect-s3.ts';
import { listObjects, plainEtag } from '../../s3/list-objects.ts';
import { catalogued, isConflict, isMissing, isPreconditionFailed, isTransient } from '../../s3/s3-errors.ts';
import { checkKey } from '../object-key.ts';

// One PUT's limit; larger objects need a multipart upload.
const MAX_PUT_BYTES = 5 * 1024 ** 3;

const MAX_PUT_ATTEMPTS = 3;
const MAX_CONFLICTS = 100;

/** `s3://BUCKET/PREFIX?endpoint=…&region=…&pathStyle=…`. */
export function openS3ObjectStore(url: URL, options: S3Options): ObjectStore {
  const Bucket = url.hostname;
  const prefix = url.pathname.replace(/^\/+|\/+$/g, '');
  const toKey = (key: string): string => (prefix === '' ? checkKey(key) : `${prefix}/${checkKey(key)}`);
  let connected: Promise<S3Connection> | undefined;

  /** Runs a call with errors of the catalogue. */
  const ask = async <R>(call: (client: S3Client, sdk: S3Sdk) => Promise<R>): Promise<R> => {
    connected ??= connectS3(withQuery(options, url.searchParams), Bucket);
    const { client, sdk } = await connected;
    try {
      return await call(client, sdk);
    } catch (error) {
      throw catalogued(error, Bucket);
    }
  };

  const put = async (
    key: string,
    ifAbsent: boolean,
    input: () => Pick<PutObjectCommandInput, 'Body' | 'ContentLength'>,
  ) => {
    const Key = toKey(key);
    return ask(async (client, sdk) => {
      for (let attempt = 1; ; attempt++) {
        try {
          await client.send(
            new sdk.PutObjectCommand({ Bucket, Key, ...input(), ...(ifAbsent ? { IfNoneMatch: '*' } : {}) }),
          );
          return true;
        } catch (error) {
          if (ifAbsent && isPreconditionFailed(error)) return false;
          // Another writer of the same key is in flight; who wins is known once it ended.
          if (ifAbsent && isConflict(error) && attempt < MAX_CONFLICTS) continue;
          // A server may hang up on a body that it will not take, before it could be told why.
          if (ifAbsent && isTransient(error) && (await isThere(client, sdk, Key))) return false;
          // The SDK repeats a failed call by itself, but not one whose body was a stream.
          if (attempt >= MAX_PUT_ATTEMPTS || !isTransient(error)) throw error;
        }
      }
    });
  };

  const isThere = (client: S3Client, { HeadObjectCommand }: S3Sdk, Key: string): Promise<boolean> =>
    client.send(new HeadObjectCommand({ Bucket, Key })).then(
      () => true,
      () => false,
    );

  const body = async (key: string) => {
    const Key = toKey(key);
    return ask(async (client, { GetObjectCommand }) => {
      try {
        return (await client.send(new GetObjectCommand({ Bucket, Key }))).Body;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  };

  return {
    put: (key, bytes, how) => put(key, how?.ifAbsent === true, () => ({ Body: bytes, ContentLength: bytes.length })),
    async putFile(key, path, how) {
      const { size } = await stat(path);
      if (size > MAX_PUT_BYTES) {
        throw new HeadraceError(
          'HR_TOO_LARGE',
          `"${path}" has ${size} bytes; an object of S3 takes ${MAX_PUT_BYTES} at once`,
        );
      }
      return put(key, how?.ifAbsent === true, () => ({ Body: createReadStream(path), ContentLength: size }));
    },
    async get(key) {
      const stream = await body(key);
      if (stream === undefined) return undefined;
      // The connection may also end in the middle of the body.
      return ask(() => stream.transformToByteArray());
    },
    async getFile(key, path) {
      const stream = await body(key);
      if (stream === undefined) return false;
      const temporary = `${path}.${randomUUID()}`;
      try {
        // In Node the SDK's body is a Readable; the connection may end in the middle of it.
        await pipeline(stream as Readable, createWriteStream(temporary)).catch((error: unknown) => {
          throw isOfFile(error) ? error : catalogued(error, Bucket);
        });
        await rename(temporary, path);
        return true;
      } finally {
        await rm(temporary, { force: true });
      }
    },
    async *list(under): AsyncIterable<ObjectInfo> {
      const root = prefix === '' ? '' : `${prefix}/`;
      for await (const { Key = '', Size = 0, ETag = '', LastModified } of listObjects(ask, Bucket, `${root}${under}`)) {
        // A store that does not tell is taken to have written it just now.
        const modifiedMicros = (LastModified?.getTime() ?? Date.now()) * 1000;
        yield { key: Key.slice(root.length), size: Size, etag: plainEtag(ETag), modifiedMicros };
      }
    },
    async remove(key) {
      const Key = toKey(key);
      await ask((client, { DeleteObjectCommand }) => client.send(new DeleteObjectCommand({ Bucket, Key })));
    },
  };
}

/** Of the file that is written, and not of the connection. */
function isOfFile(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && (error.syscall === 'open' || error.syscall === 'write');
}

function withQuery(options: S3Options, query: URLSearchParams): S3Options {
  const [endpoint, region, pathStyle] = ['endpoint', 'region', 'pathStyle'].map((name) => query.get(name));
  return {
    ...options,
    ...(typeof endpoint === 'string' && { endpoint }),
    ...(typeof region === 'string' && { region }),
    ...(typeof pathStyle === 'string' && { pathStyle: pathStyle === 'true' }),
  };
}
