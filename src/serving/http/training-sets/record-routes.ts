// The training sets there are, however they were made, and their files: Parquet as it lies, or as an Arrow stream.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HeadraceError } from '../../../core/index.ts';
import {
  type OpenTrainingSetFile,
  presentTrainingSet,
  type TrainingSetRecord,
  withoutLocalPaths,
} from '../../../offline/index.ts';
import { isHeld } from '../etagged.ts';
import { problems } from '../schemas.ts';
import { readRange } from './byte-range.ts';
import { cutStalled } from './cut-stalled.ts';
import { ARROW, PARQUET } from './media-types.ts';
import { RecordResponse, RecordsResponse, TrainingSetParams } from './schemas.ts';
import { prefersArrow } from './prefers-arrow.ts';
import { Readable } from 'node:stream';

/** Where sets lie, given by the composition root. */
export interface TrainingSetFiles {
  list(): Promise<readonly TrainingSetRecord[]>;
  /** Throws HR_UNKNOWN_TRAINING_SET. */
  get(idOrName: string): Promise<TrainingSetRecord>;
  /** Throws HR_ARTIFACT_UNREADABLE. */
  open(record: TrainingSetRecord): Promise<OpenTrainingSetFile>;
  /** The same rows as an Arrow IPC stream; closing it ends the work. Throws HR_OVERLOADED, HR_ARTIFACT_UNREADABLE. */
  openArrow(record: TrainingSetRecord): Promise<Readable>;
}

const tags = ['training sets'];
const PIECE_BYTES = 1024 * 1024;

export function addRecordRoutes(app: FastifyInstance, files: TrainingSetFiles): void {
  const config = { role: 'read', tellsOfAllEndpoints: true } as const;
  app.get(
    '/v1/training-sets',
    {
      config,
      schema: {
        summary: 'List training sets, the newest first',
        tags,
        response: { 200: RecordsResponse, ...problems },
      },
    },
    async () => ({ training_sets: (await files.list()).map(present) }),
  );
  app.get<{ Params: { training_set: string } }>(
    '/v1/training-sets/:training_set',
    {
      config,
      schema: {
        summary: 'Show what a training set was made from, and its features',
        tags,
        params: TrainingSetParams,
        response: { 200: RecordResponse, ...problems },
      },
    },
    async ({ params }) => present(await files.get(params.training_set)),
  );
  app.get<{ Params: { training_set: string } }>(
    '/v1/training-sets/:training_set/data',
    {
      // Whoever takes one has the history of all that the service reads.
      config: { role: 'experiment', tellsOfAllEndpoints: true },
      schema: {
        summary: 'The rows: Parquet (with `Range` and an ETag), or by `Accept` an Arrow IPC stream',
        tags,
        params: TrainingSetParams,
        produces: [PARQUET, ARROW],
        headers: {
          type: 'object',
          properties: {
            range: { type: 'string' },
            'if-none-match': { type: 'string' },
            'if-range': { type: 'string' },
          },
        },
        response: { 200: { description: 'The file', type: 'string' }, ...problems },
      },
    },
    async (request, reply) => {
      const record = await files.get(request.params.training_set);
      reply.header('vary', 'accept').header('cache-control', 'no-cache');
      if (!prefersArrow(request.headers.accept)) return sendParquet(request, reply, record, files);
      const rows = await files.openArrow(record);
      cutStalled(reply.raw);
      return reply.header('content-type', ARROW).send(rows);
    },
  );
}

const present = (record: TrainingSetRecord): object => presentTrainingSet(withoutLocalPaths(record));

async function sendParquet(
  request: FastifyRequest,
  reply: FastifyReply,
  record: TrainingSetRecord,
  files: TrainingSetFiles,
): Promise<FastifyReply> {
  const { headers } = request;
  const etag = `"${record.contentHash}"`;
  reply.header('etag', etag).header('accept-ranges', 'bytes');
  if (isHeld(headers['if-none-match'], etag)) return reply.code(304).send();
  const { file, sizeBytes } = await files.open(record);
  // A part of another file is no use.
  const isSame = headers['if-range'] === undefined || headers['if-range'] === etag;
  const range = readRange(isSame ? headers.range : undefined, sizeBytes);
  if (range.kind === 'outside') {
    await file.close();
    reply.header('content-range', `bytes */${sizeBytes}`);
    throw new HeadraceError('HR_RANGE', `the range begins past the end: the file has ${sizeBytes} bytes.`);
  }
  const [from, to] = range.kind === 'part' ? [range.from, range.to] : [0, sizeBytes - 1];
  if (range.kind === 'part') reply.code(206).header('content-range', `bytes ${from}-${to}/${sizeBytes}`);
  cutStalled(reply.raw);
  return reply
    .header('content-type', PARQUET)
    .header('content-length', to - from + 1)
    .header('content-disposition', `attachment; filename="${record.id}.parquet"`)
    .send(file.createReadStream({ start: from, end: to, highWaterMark: PIECE_BYTES }));
}
