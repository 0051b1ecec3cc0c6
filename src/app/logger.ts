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
];

/** Logs to stderr without waiting for it; `bound` is added to each line. */
export function createLogger(level: string, bound: object = {}): Logger {
  return pino(
    {
      level,
      base: bound,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRETS, censor: '[hidden]' },
    },
    process.stderr,
  ) as Logger;
}
