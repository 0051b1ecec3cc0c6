// What the S3 SDK throws, told apart by HTTP status, and as errors of the catalogue.

import { HeadraceError } from '../../core/index.ts';

interface S3Error {
  readonly name: string;
  readonly message: string;
  readonly status: number | undefined;
}

function read(error: unknown): S3Error {
  // Every error of the SDK's carries $metadata; a network error doesn't.
  const {
    name = '',
    message = '',
    $metadata,
  } = error as { name?: string; message?: string; $metadata?: { httpStatusCode?: number } };
  return { name, message, status: $metadata?.httpStatusCode };
}

export function isMissing(error: unknown): boolean {
  const { name, status } = read(error);
  return name === 'NoSuchKey' || (status === 404 && name !== 'NoSuchBucket');
}

export function isPreconditionFailed(error: unknown): boolean {
  return read(error).status === 412;
}

export function isConflict(error: unknown): boolean {
  return read(error).status === 409;
}

/** A network error, or the server's own. */
export function isTransient(error: unknown): boolean {
  const { status } = read(error);
  return status === undefined || status === 429 || status >= 500;
}

/** How long a server said nothing, in milliseconds, where that is why it was given up. */
export function silenceOf(error: unknown): number | undefined {
  const [, ms] = /timed out after (\d+) ms of inactivity/.exec(read(error ?? {}).message) ?? [];
  if (ms !== undefined) return Number(ms);
  return error instanceof Error && error.cause !== undefined ? silenceOf(error.cause) : undefined;
}

/** HR_CONFIG for what the user can fix, HR_STORAGE_UNAVAILABLE for the rest, HR_STORAGE_FULL for a full store. */
export function catalogued(error: unknown, bucket: string): HeadraceError {
  if (error instanceof HeadraceError) return error;
  const { name, message, status } = read(error);
  const reason = message === '' || message === 'UnknownError' ? name : message;
  const options = { cause: error };
  if (name === 'NoSuchBucket') {
    return new HeadraceError('HR_CONFIG', `S3 has no bucket "${bucket}"; make it, or correct the URL`, options);
  }
  if (name === 'CredentialsProviderError') {
    return new HeadraceError(
      'HR_CONFIG',
      `there are no credentials for S3 (${reason}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the machine a role`,
      options,
    );
  }
  if (status === 401 || status === 403) {
    return new HeadraceError('HR_CONFIG', `S3 refuses the credentials for bucket "${bucket}": ${reason}`, options);
  }
  if (status === 507) return new HeadraceError('HR_STORAGE_FULL', `S3 has no room left in bucket "${bucket}"`, options);
  const silenceMs = silenceOf(error);
  if (silenceMs !== undefined) {
    const sentence = `S3 bucket "${bucket}" said nothing for ${silenceMs / 1000} s, however often it was asked`;
    return new HeadraceError('HR_STORAGE_UNAVAILABLE', sentence, options);
  }
  return new HeadraceError('HR_STORAGE_UNAVAILABLE', `S3 bucket "${bucket}" does not answer: ${reason}`, options);
}
