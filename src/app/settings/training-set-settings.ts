// The settings of training sets that are made over HTTP: part of the table in settings.

import type { Setting } from './setting.ts';

export const TRAINING_SET_SETTINGS = [
  {
    key: 'server.maxSpine',
    kind: 'size',
    default: '4GB',
    help: 'Greatest spine of a training set that is made over HTTP, in bytes as they are sent; a larger one is answered 413. It is written to disk as it comes.',
  },
  {
    key: 'server.spineTimeoutMs',
    kind: 'integer',
    default: 3_600_000,
    min: 1000,
    max: 86_400_000,
    help: 'Milliseconds in which a spine has to arrive whole; one of which nothing comes for `server.bodyTimeoutMs` is given up before.',
  },
  {
    key: 'server.spinePlaces',
    kind: 'text',
    help: 'Where in S3 a spine may lie that a request names by its address, with commas between: `s3://bucket/folder`. The server reads it by its own credentials; left out, it reads none.',
  },
  {
    key: 'server.trainingSetJobs',
    kind: 'integer',
    default: 1,
    min: 1,
    max: 64,
    help: 'Training sets that all servers of a registry make at once over HTTP, each in a process of its own with `offline.memory`.',
  },
  {
    key: 'server.trainingSetQueue',
    kind: 'integer',
    default: 8,
    min: 0,
    max: 10_000,
    help: 'Training sets that wait their turn, those whose spine is still arriving too; a further one is answered 429 with `Retry-After`.',
  },
] as const satisfies readonly Setting[];
