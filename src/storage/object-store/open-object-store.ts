// Opens an object store by its URL's scheme.

import { HeadraceError } from '../../core/index.ts';
import type { ObjectStore } from '../object-store.ts';
import { withoutPassword } from '../without-password.ts';
import { openFileObjectStore } from './file/file-object-store.ts';
import type { S3Options } from '../s3/connect-s3.ts';
import { openS3ObjectStore } from './s3/s3-object-store.ts';

/**
 * `file:PATH`, or `s3://BUCKET/PREFIX`. For S3, region, endpoint and credentials come from the AWS environment
 * (`AWS_REGION`, `AWS_ENDPOINT_URL_S3`, …) unless `options` or the URL's query (`?endpoint=…&region=…&pathStyle=true`)
 * say otherwise; the query wins. Throws HR_CONFIG.
 */
export function openObjectStore(url: string, options: S3Options = {}): ObjectStore {
  if (url.startsWith('file:') && url.length > 'file:'.length) {
    return openFileObjectStore(url.slice('file:'.length).replace(/^\/\/(?=\/)/, ''));
  }
  const s3 = /^s3:\/\/[^/?]+/.test(url) ? URL.parse(url) : null;
  if (s3 !== null && s3.username === '' && s3.password === '') return openS3ObjectStore(s3, options);
  if (s3 !== null) {
    const sentence = `an S3 URL holds no keys, got "${withoutPassword(url)}"; they come from the AWS environment (AWS_ACCESS_KEY_ID, …)`;
    throw new HeadraceError('HR_CONFIG', sentence);
  }
  const sentence = `an object store URL is "file:PATH" or "s3://BUCKET/PREFIX", got "${withoutPassword(url)}"`;
  throw new HeadraceError('HR_CONFIG', sentence);
}
