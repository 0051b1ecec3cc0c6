// Settings of what watches: how often monitors work, and who is told what they find.

import type { Setting } from './setting.ts';

export const MONITORING_SETTINGS = [
  {
    key: 'alerts.webhook',
    kind: 'url',
    schemes: ['http', 'https'],
    help: 'Where each alert that opens or closes is sent, a POST of JSON: at least once, with an `idempotency-key`, tried again for three days; nowhere when left out.',
  },
  {
    key: 'alerts.secretEnv',
    kind: 'text',
    help: 'Name of the environment variable that holds what the webhook is sent as `Authorization: Bearer …`.',
  },
  {
    key: 'drift.every',
    kind: 'duration',
    default: '5m',
    help: 'How often a server holds the windows that have ended against the training data; `0s`: never.',
  },
  {
    key: 'drift.window',
    kind: 'choice',
    default: 'hour',
    choices: ['hour', 'day'],
    help: 'The window of drift: `hour` or `day`. One with fewer than 300 rows is joined to the next.',
  },
  {
    key: 'quality.every',
    kind: 'duration',
    default: '1h',
    help: 'How often a server works out how good the predictions were, by the outcomes that have come; `0s`: never.',
  },
  {
    key: 'verify.every',
    kind: 'duration',
    default: '1h',
    help: 'How often a server computes a sample of what it served again, as of then; `0s`: never.',
  },
  {
    key: 'verify.sample',
    kind: 'integer',
    default: 200,
    min: 1,
    max: 100_000,
    help: 'Predictions that one such check takes at most, of those since the last one.',
  },
] as const satisfies readonly Setting[];
