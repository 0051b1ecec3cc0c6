// What the routes of training sets take and answer, as TypeBox values.

import Type from 'typebox';
import { orNull } from '../or-null.ts';

export const CreateQuery = Type.Object(
  {
    service: Type.String({ minLength: 1, description: 'The feature service' }),
    timestamp: Type.String({ minLength: 1, description: 'The spine’s time column' }),
    label: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }))], {
        description: 'A label column; may come several times',
      }),
    ),
    boundary: Type.Optional(
      Type.Enum(['at', 'before'], { description: 'Whether what happened at the very time counts; `at` when left out' }),
    ),
    name: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'A name to find it by; it means the newest set that took it',
      }),
    ),
    detached: Type.Optional(
      Type.Enum(['true', 'false'], { description: '`true`: it goes on though nobody asks about it for 30 s' }),
    ),
  },
  { additionalProperties: false },
);

export const AddressBody = Type.Object(
  {
    spine: Type.String({
      pattern: '^s3://[^/]+/.+$',
      maxLength: 2000,
      description:
        'Where the server reads it, with its own credentials: an `s3://` address within its `server.spinePlaces`',
    }),
  },
  { additionalProperties: false },
);

export const JobResponse = Type.Object({
  id: Type.String(),
  state: Type.Enum(['queued', 'running', 'done', 'failed', 'cancelled']),
  progress: orNull(
    Type.Object({
      step: Type.String(),
      done: Type.Integer(),
      total: orNull(Type.Integer()),
      unit: orNull(Type.String()),
      bytes: Type.Optional(
        Type.Object(
          { done: Type.Integer(), total: Type.Integer() },
          { description: 'Of what is done and of all, while objects are fetched' },
        ),
      ),
    }),
  ),
  training_set: orNull(Type.String({ description: 'The id of what it made' })),
  error: orNull(Type.Object({ code: Type.String(), message: Type.String() })),
  unshipped: Type.Array(Type.Object({ writer: Type.Integer(), events: Type.Integer() }), {
    description:
      'Writers that did not ship what they had taken, so that it is not in the set, and how many events wait there',
  }),
  created_at: Type.String(),
  finished_at: orNull(Type.String()),
});
export const CreatedResponse = Type.Object({ job: JobResponse });
export const JobParams = Type.Object({ job: Type.String() });
export const TrainingSetParams = Type.Object({ training_set: Type.String() });
export const RecordResponse = Type.Object(
  {
    id: Type.String(),
    name: orNull(Type.String()),
    service: Type.String(),
    rows: Type.Integer(),
    features: Type.Array(Type.String()),
    content_hash: Type.String(),
    size_bytes: Type.Integer(),
    created_at: Type.String(),
  },
  {
    additionalProperties: true,
    description: 'As `headrace training-set show --json` prints it, of the server’s own files their names alone',
  },
);
export const RecordsResponse = Type.Object({ training_sets: Type.Array(RecordResponse) });
