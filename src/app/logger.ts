// The logger port by pino: one JSON object a line on stderr, so stdout stays for results.

import { pino, stdTimeFunctions } from 'pino';
import type { Logger } from '../core/index.ts';

// Whatever is logged by mistake under these names is not written.
const SECRETS = [
  'password',
  'secret',
  'token',
  'apiKey',
  'authorization',
  'headers.authorization',
  'headers.cookie',
  'url',
  'connection',
  '*.password',
  '*.url',
  '*.connection',
];

// What clients hang on their errors may be secret, whatever its name: a Redis command's arguments (AUTH), a URL that
// does not parse, a request's headers. An error is told by its words.
function describeError(thrown: unknown): object {
  if (!(thrown instanceof Error)) return { message: String(thrown) };
  const { name, message, stack, cause } = thrown;
  const code = 'code' in thrown ? { code: String(thrown.code) } : {};
  return { type: name, message, stack, ...code, ...(cause === undefined ? {} : { cause: describeError(cause) }) };
}

/** Logs to stderr without waiting for it; `bound` is added to each line. */
export function createLogger(level: string, bound: object = {}): Logger {
  return pino(
    {
      level,
      base: bound,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: { paths: SECRETS, censor: '[hidden]' },
    },
    process.stderr,
  ) as Logger;
}
