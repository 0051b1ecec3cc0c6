// An address in S3 as users write it: `s3://bucket/folder/*.parquet`.

import { HeadraceError } from '../../../core/index.ts';

export interface S3Path {
  readonly bucket: string;
  /** A key, or a pattern of keys. */
  readonly key: string;
  readonly isPattern: boolean;
  /** What every key begins with that the pattern matches. */
  readonly prefix: string;
}

export const isS3Path = (path: string): boolean => /^s3:\/\//i.test(path);

/** Throws HR_SOURCE_UNREADABLE. */
export function parseS3Path(path: string, owner: string): S3Path {
  const [, bucket, key] = /^s3:\/\/([^/?#@:]+)\/(.+)$/is.exec(path) ?? [];
  if (bucket === undefined || key === undefined) {
    throw new HeadraceError(
      'HR_SOURCE_UNREADABLE',
      `${owner}: an address in S3 is s3://BUCKET/KEY, where KEY may be a pattern such as events/*.parquet. Keys to S3 are no part of it: they come from the AWS environment.`,
    );
  }
  const [prefix = ''] = key.split(/[*?[{]/, 1);
  return { bucket, key, isPattern: prefix !== key, prefix };
}
