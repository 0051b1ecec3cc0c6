// Objects of other people's buckets, read only: listed, looked at, and fetched as they were when they were listed.

import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { HeadraceError } from '../../core/index.ts';
import { connectS3, type S3Address, type S3Connection, type S3Options } from './connect-s3.ts';
import { listObjects, plainEtag } from './list-objects.ts';
import { catalogued, isMissing, isPreconditionFailed, isTransient, silenceOf } from './s3-errors.ts';

export interface BucketObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
}

/** What another program needs to ask the same server as the same user. Secret: never shown, never kept. */
export interface S3Access extends S3Address {
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Errors: HR_CONFIG for a missing bucket and refused credentials, HR_STORAGE_UNAVAILABLE when S3 doesn't answer. */
export interface Buckets {
  /** Keys that begin with `prefix`, ascending by their UTF-8 bytes. */
  list(bucket: string, prefix: string): AsyncIterable<BucketObject>;
  /** Undefined where there is no such object. */
  look(bucket: string, key: string): Promise<BucketObject | undefined>;
  /**
   * Writes the object to a file, whole; false where it is gone or has another etag by now. A connection that ends half-way
   * is taken up from there a few times. `heard` is told how many of its bytes came.
   */
  fetch(bucket: string, object: BucketObject, path: string, heard?: (bytes: number) => void): Promise<boolean>;
  access(bucket: string): Promise<S3Access>;
  close(): void;
}

/** Times that a body is asked for which ends too early. */
const MOST_PIECES = 5;

export function openBuckets(options: S3Options = {}): Buckets {
  let connected: Promise<S3Connection> | undefined;
  const ask = async <R>(bucket: string, call: (connection: S3Connection) => Promise<R>): Promise<R> => {
    try {
      return await call(await (connected ??= connectS3(options, bucket)));
    } catch (error) {
      throw catalogued(error, bucket);
    }
  };
  return {
    async *list(bucket, prefix) {
      const listed = listObjects((call) => ask(bucket, ({ client, sdk }) => call(client, sdk)), bucket, prefix);
      for await (const { Key = '', Size = 0, ETag = '' } of listed) {
        yield { key: Key, size: Size, etag: plainEtag(ETag) };
      }
    },
    look: (bucket, key) =>
      ask(bucket, async ({ client, sdk: { HeadObjectCommand } }) => {
        try {
          const { ContentLength = 0, ETag = '' } = await client.send(
            new HeadObjectCommand({ Bucket: bucket, Key: key }),
          );
          return { key, size: ContentLength, etag: plainEtag(ETag) };
        } catch (error) {
          if (isMissing(error)) return undefined;
          throw error;
        }
      }),
    fetch: (bucket, object, path, heard = () => {}) =>
      ask(bucket, (connection) => fetchWhole(connection, bucket, object, path, heard)),
    access: (bucket) =>
      ask(bucket, async ({ client, address }) => {
        const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials();
        const secrets = { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
        return { ...(await address(bucket)), region: await client.config.region(), ...secrets };
      }),
    close() {
      void connected?.then(
        ({ client }) => client.destroy(),
        () => undefined,
      );
    },
  };
}

async function fetchWhole(
  connection: S3Connection,
  bucket: string,
  object: BucketObject,
  path: string,
  heard: (bytes: number) => void,
): Promise<boolean> {
  await (await open(path, 'w')).close();
  let written = 0;
  for (let piece = 1; ; piece++) {
    const body = await bodyFrom(connection, bucket, object, written);
    if (body === undefined) return false;
    let came = written;
    body.on('data', (piece: Buffer) => heard((came += piece.length)));
    const failed = await pipeline(body, createWriteStream(path, { flags: 'r+', start: written })).then(
      () => undefined,
      (error: unknown) => error,
    );
    // Of a full disk no other piece makes more.
    if (failed !== undefined && !isTransient(failed)) throw failed;
    if (isOfDisk(failed)) throw diskError(failed, path);
    written = await sizeOf(path);
    if (written === object.size) return true;
    if (piece >= MOST_PIECES || written > object.size) {
      const silenceMs = silenceOf(failed);
      const silence = silenceMs === undefined ? '' : `, and then said nothing for ${silenceMs / 1000} s`;
      throw new HeadraceError(
        'HR_STORAGE_UNAVAILABLE',
        `S3 gave ${written} of the ${object.size} bytes of s3://${bucket}/${object.key}, asked ${piece} times${silence}`,
        { cause: failed },
      );
    }
  }
}

/** From a byte on; undefined where the object is gone or another by now. */
async function bodyFrom(
  { client, sdk: { GetObjectCommand } }: S3Connection,
  bucket: string,
  { key, size, etag }: BucketObject,
  start: number,
): Promise<Readable | undefined> {
  const range = start > 0 && start < size ? { Range: `bytes=${start}-` } : {};
  try {
    const { Body } = await client.send(
      new GetObjectCommand({ Bucket: bucket, Key: key, IfMatch: `"${etag}"`, ...range }),
    );
    // In Node the SDK's body is a Readable.
    return Body as Readable;
  } catch (error) {
    if (isMissing(error) || isPreconditionFailed(error)) return undefined;
    throw error;
  }
}

async function sizeOf(path: string): Promise<number> {
  const file = await open(path);
  try {
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

const codeOf = (error: unknown): string => String((error as { code?: unknown } | undefined)?.code ?? '');

const isOfDisk = (error: unknown): boolean => /^(ENOSPC|EDQUOT|EIO|EROFS|EACCES)$/.test(codeOf(error));

function diskError(error: unknown, path: string): HeadraceError {
  const isFull = /ENOSPC|EDQUOT/.test(codeOf(error));
  return isFull
    ? new HeadraceError('HR_STORAGE_FULL', `the disk is full at ${path}. Free space and run it again.`, {
        cause: error,
      })
    : new HeadraceError('HR_STORAGE_UNAVAILABLE', `${path} cannot be written: ${codeOf(error)}.`, { cause: error });
}
