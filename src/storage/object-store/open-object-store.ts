// Opens an object store by its URL's scheme.

import { HeadraceError } from '../../core/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { withoutPassword } from '../without-password.ts';
import { openFileObjectStore } from './file/file-object-store.ts';
import { openS3ObjectStore, type S3Options } from './s3/s3-object-store.ts';

/**
 * `file:PATH`, or `s3://BUCKET/PREFIX`. For S3, region, endpoint and credentials come from the AWS environment
 * (`AWS_REGION`, `AWS_ENDPOINT_URL_S3`, …) unless `options` or the URL's query (`?endpoint=…&region=…&pathStyle=true`)
 * say otherwise; the query wins. Throws HR_CONFIG.
 */
export function openObjectStore(url: string, options: S3Options = {}): ObjectStore {
  if (url.startsWith('file:') && url.length > 'file:'.length) {
    return openFileObjectStore(url.slice('file:'.length).replace(/^\/\/(?=\/)/, ''));
  }
  if (/^s3:\/\/[^/?]+/.test(url)) return openS3ObjectStore(new URL(url), options);
  const sentence = `an object store URL is "file:PATH" or "s3://BUCKET/PREFIX", got "${withoutPassword(url)}"`;
  throw new HeadraceError('HR_CONFIG', sentence);
}
