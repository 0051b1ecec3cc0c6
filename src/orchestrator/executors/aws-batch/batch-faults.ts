// What the SDK throws of AWS Batch, told apart by what it is good for: to be asked again later, to be looked after, or never.

import { HeadraceError, messageOf } from '../../../core/index.ts';

/**
 * `throttled`: not done, later it may be. `unclear`: nobody knows whether it was done: no answer, or the server's own fault.
 * `forbidden`: what the user sets right about credentials, roles or region. `refused`: what was asked is wrong.
 */
export type BatchFault = 'throttled' | 'unclear' | 'forbidden' | 'refused';

const THROTTLING: ReadonlySet<string> = new Set([
  'TooManyRequestsException',
  'ThrottlingException',
  'Throttling',
  'RequestLimitExceeded',
  'RequestThrottled',
  'SlowDown',
]);

const FORBIDDEN: ReadonlySet<string> = new Set([
  'CredentialsProviderError',
  'TokenProviderError',
  'AccessDeniedException',
  'UnrecognizedClientException',
  'InvalidSignatureException',
  'ExpiredTokenException',
  'MissingAuthenticationTokenException',
]);

export function faultOf(error: unknown): BatchFault {
  const { name, message, status } = read(error);
  if (THROTTLING.has(name) || status === 429) return 'throttled';
  if (FORBIDDEN.has(name) || status === 401 || status === 403 || message.startsWith('Region is missing'))
    return 'forbidden';
  // A success of which the rest never came is as unclear as no answer.
  return status === undefined || status < 400 || status >= 500 ? 'unclear' : 'refused';
}

/** HR_CONFIG for what the user can set right, HR_STORAGE_UNAVAILABLE for a Batch that was given up. `call` is the API's own name. */
export function catalogued(error: unknown, call: string): HeadraceError {
  if (error instanceof HeadraceError) return error;
  const { name, message } = read(error);
  const reason = message === '' || message === 'UnknownError' ? name : message;
  const options = { cause: error };
  if (message.startsWith('Region is missing'))
    return new HeadraceError(
      'HR_CONFIG',
      'there is no region for AWS Batch; set AWS_REGION, or a region in the profile',
      options,
    );
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError')
    return new HeadraceError(
      'HR_CONFIG',
      `there are no credentials for AWS Batch (${reason}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the machine a role`,
      options,
    );
  switch (faultOf(error)) {
    case 'forbidden':
      return new HeadraceError(
        'HR_CONFIG',
        `AWS Batch refuses these credentials for ${call}: ${reason}; allow batch:${call} to them`,
        options,
      );
    case 'refused':
      return new HeadraceError('HR_CONFIG', `AWS Batch refuses ${call}: ${reason}`, options);
    case 'throttled':
      return new HeadraceError(
        'HR_STORAGE_UNAVAILABLE',
        `AWS Batch throttles ${call}, however often it was asked: ${reason}`,
        options,
      );
    case 'unclear':
      return new HeadraceError(
        'HR_STORAGE_UNAVAILABLE',
        `AWS Batch does not answer ${call}, however often it was asked: ${reason}`,
        options,
      );
  }
}

function read(error: unknown): {
  readonly name: string;
  readonly message: string;
  readonly status: number | undefined;
} {
  // Every error that is an answer carries $metadata; one of the network doesn't.
  const { name = '', $metadata } = (error ?? {}) as { name?: string; $metadata?: { httpStatusCode?: number } };
  return { name, message: messageOf(error), status: $metadata?.httpStatusCode };
}
