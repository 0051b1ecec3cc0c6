// Training sets that are asked for over HTTP: the spine comes with the request, a job makes the set, and is asked about.

import type { FastifyInstance, FastifyRequest } from 'fastify';
import type Type from 'typebox';
import { HeadraceError } from '../../../core/index.ts';
import type { Job, JobRequest, SpineKind, TrainingSetJobs } from '../../../offline/index.ts';
import { idempotencyKeyOf, quoted } from '../request-context.ts';
import { problems } from '../schemas.ts';
import type { JobEvents } from './job-events.ts';
import { ARROW, PARQUET } from './media-types.ts';
import { presentJob } from './present-job.ts';
import { AddressBody, CreatedResponse, CreateQuery, JobParams, JobResponse } from './schemas.ts';
import { checkAnnounced, readSpineBody, type SpineBounds } from './spine-body.ts';
import { checkPlace } from './spine-places.ts';

const SENT: Readonly<Record<string, SpineKind>> = {
  [PARQUET]: { kind: 'parquet' },
  [ARROW]: { kind: 'arrow' },
  'text/csv': { kind: 'csv' },
};

const tags = ['training sets'];
/** Whoever makes or takes one has the history of all that the service reads. */
const config = { role: 'experiment', tellsOfAllEndpoints: true } as const;

/** For whoever reads the document: nothing is held against it. */
const FILE = { description: 'The spine: a file of rows with the key columns, a timestamp, labels and request columns' };

const byType = (types: readonly string[], schema: object): object =>
  Object.fromEntries(types.map((type) => [type, { schema }]));

type Query = Type.Static<typeof CreateQuery>;

export function addJobRoutes(
  app: FastifyInstance,
  jobs: TrainingSetJobs,
  events: JobEvents,
  bounds: SpineBounds,
): void {
  takeSpines(app);
  app.post<{ Querystring: Query; Body: { spine: string } | undefined }>(
    '/v1/training-sets',
    {
      config,
      schema: {
        summary: 'Make a training set for a spine that is sent along; a job does it, which is asked about',
        tags,
        querystring: CreateQuery,
        headers: {
          type: 'object',
          properties: {
            'idempotency-key': { type: 'string', description: 'A repeat with the same key gets the first job' },
          },
        },
        // Of a spine nothing is read before its route does.
        body: { content: { ...byType(Object.keys(SENT), FILE), 'application/json': { schema: AddressBody } } },
        response: { 202: CreatedResponse, ...problems },
      },
    },
    async (request, reply) => {
      const { query, body, actor, raw } = request;
      const sent = mediaTypeOf(request);
      const spine: SpineKind = SENT[sent] ?? { kind: 'address', address: addressOf(body, bounds.places) };
      const asked = {
        request: requestOf(query, spine),
        actor: actor.name,
        isLocal: actor.isLocal === true,
        idempotencyKey: idempotencyKeyOf(request),
      };
      let job: Job;
      try {
        if (spine.kind !== 'address') checkAnnounced(raw, bounds);
        job = await jobs.create(asked, spine.kind === 'address' ? undefined : readSpineBody(raw, bounds));
      } catch (thrown) {
        // What is left of the spine is in the way of the next request.
        if (!raw.readableEnded) reply.header('connection', 'close');
        throw thrown;
      }
      return reply
        .code(202)
        .header('location', `/v1/training-sets/jobs/${job.id}`)
        .send({ job: presentJob(job) });
    },
  );
  app.get<{ Params: { job: string } }>(
    '/v1/training-sets/jobs/:job',
    {
      config,
      schema: {
        summary: 'How far a job is; one that nobody asks about for 30 s is cancelled',
        tags,
        params: JobParams,
        response: { 200: JobResponse, ...problems },
      },
    },
    async ({ params }) => presentJob(await jobs.get(params.job)),
  );
  app.get<{ Params: { job: string } }>(
    '/v1/training-sets/jobs/:job/events',
    {
      config,
      schema: {
        summary:
          'How it goes, as server-sent events: `progress`, then `done`, `failed` or `cancelled`, each with the job',
        tags,
        params: JobParams,
        produces: ['text/event-stream'],
        response: { 200: { type: 'string' }, ...problems },
      },
    },
    (request, reply) => events.open(request, reply, request.params.job),
  );
  app.delete<{ Params: { job: string } }>(
    '/v1/training-sets/jobs/:job',
    {
      config,
      schema: {
        summary: 'Cancel a job; one that has ended is told as it is',
        tags,
        params: JobParams,
        response: { 200: JobResponse, ...problems },
      },
    },
    async ({ params }) => presentJob(await jobs.cancel(params.job)),
  );
}

/** Spines pass by the parsers: whoever takes one reads it as it comes. */
function takeSpines(app: FastifyInstance): void {
  app.addContentTypeParser(Object.keys(SENT), (request, _payload, done) => {
    const encoding = request.headers['content-encoding'] ?? 'identity';
    if (encoding === 'identity') return done(null, undefined);
    const sentence = `the spine’s Content-Encoding is ${quoted(encoding)}; send it without.`;
    done(new HeadraceError('HR_UNSUPPORTED_MEDIA', sentence));
  });
  app.addContentTypeParser('*', (request, _payload, done) => {
    const came = request.headers['content-type'];
    const sentence = `a spine’s Content-Type must be ${Object.keys(SENT).join(', ')}, or application/json with its address; got ${came === undefined ? 'none' : quoted(came)}.`;
    done(new HeadraceError('HR_UNSUPPORTED_MEDIA', sentence));
  });
}

const mediaTypeOf = ({ headers }: FastifyRequest): string =>
  (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';

function addressOf(body: { readonly spine: string } | undefined, places: readonly string[]): string {
  if (body === undefined)
    throw new HeadraceError('HR_INVALID', 'the request has no body: send the spine, or `{"spine":"s3://…"}`.');
  checkPlace(body.spine, places);
  return body.spine;
}

function requestOf(query: Query, spine: SpineKind): JobRequest {
  const { service, timestamp, label = [], boundary = 'at', name = null, detached = 'false' } = query;
  const labels = [label].flat();
  return { service, timestamp, labels, boundary, name, isDetached: detached === 'true', spine };
}
