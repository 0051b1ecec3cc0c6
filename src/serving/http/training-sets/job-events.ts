// How one job goes, as server-sent events: `progress` while it changes, then one of `done`, `failed`, `cancelled`, and the stream
// ends. While it is open, somebody asks about the job.

import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HeadraceError, type Logger, messageOf } from '../../../core/index.ts';
import { isFinished, type Job, type TrainingSetJobs } from '../../../offline/index.ts';
import { presentJob } from './present-job.ts';

export interface JobEvents {
  /** Answers with a stream. Throws HR_UNKNOWN_JOB, HR_OVERLOADED, HR_STOPPING. */
  open(request: FastifyRequest, reply: FastifyReply, id: string): Promise<FastifyReply>;
  /** Ends every open stream once it has told that its job is cancelled, or soon. */
  endAll(): void;
}

export interface JobEventsOptions {
  readonly jobs: TrainingSetJobs;
  readonly maxStreams: number;
  readonly isStillAdmitted: (request: FastifyRequest) => Promise<boolean>;
  readonly logger: Logger;
}

/** How soon a change that another process made is seen. */
const LOOK_MS = 250;
/** Between two words to a client that there is nothing new. */
const QUIET_MS = 10_000;
/** How long a server that stops waits for the end of a job that is another's. */
const LAST_WORD_MS = 2000;
const ADMITTED_EVERY_MS = 1000;
/** A client that has read nothing for so long is gone, or as good as: it keeps no job alive. */
const STALLED_MS = 30_000;

export function createJobEvents({ jobs, maxStreams, isStillAdmitted, logger }: JobEventsOptions): JobEvents {
  let open = 0;
  let stopsAtMs: number | undefined;

  const follow = async (request: FastifyRequest, raw: ServerResponse, first: Job): Promise<void> => {
    const writer = createWriter(raw);
    let [told, admittedMs] = ['', performance.now()];
    for (let job = first; ; job = await jobs.get(job.id)) {
      const text = JSON.stringify(presentJob(job));
      const isLast = isFinished(job.state);
      if (text !== told && writer.write(`event: ${isLast ? job.state : 'progress'}\ndata: ${text}\n\n`, isLast))
        told = text;
      if (isLast || performance.now() > (stopsAtMs ?? Infinity) || !writer.isOpen()) break;
      if (performance.now() - admittedMs > ADMITTED_EVERY_MS) {
        admittedMs = performance.now();
        if (!(await isStillAdmitted(request))) break;
      }
      await jobs.changed(job.id, LOOK_MS);
      writer.stayAwake();
    }
  };

  return {
    async open(request, reply, id) {
      if (stopsAtMs !== undefined)
        throw new HeadraceError('HR_STOPPING', 'the server is stopping. Open the stream elsewhere.');
      if (open >= maxStreams)
        throw new HeadraceError(
          'HR_OVERLOADED',
          `${maxStreams} streams of jobs are open, the most that a worker keeps (server.maxStreams).`,
        );
      // Before the registry is asked: many may ask at the same moment.
      open++;
      const job = await jobs.get(id).catch((thrown: unknown) => {
        open--;
        throw thrown;
      });
      reply.hijack();
      const { raw } = reply;
      if (raw.destroyed || raw.socket?.destroyed === true) {
        open--;
        return reply;
      }
      raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-request-id': request.id,
      });
      raw.flushHeaders();
      void follow(request, raw, job)
        .catch((thrown: unknown) => logger.warn({ job: id, reason: messageOf(thrown) }, 'a job’s stream broke off'))
        .finally(() => {
          open--;
          raw.end();
        });
      return reply;
    },
    endAll() {
      stopsAtMs ??= performance.now() + LAST_WORD_MS;
    },
  };
}

interface Writer {
  /** False where the client has to read first, unless it `must`. */
  write(text: string, must: boolean): boolean;
  isOpen(): boolean;
  /** A word now and then, by which a connection that is gone is found out. */
  stayAwake(): void;
}

function createWriter(raw: ServerResponse): Writer {
  let wroteMs = performance.now();
  let stalledMs: number | undefined;
  const write = (text: string): void => {
    wroteMs = performance.now();
    raw.write(text);
  };
  return {
    write(text, must) {
      if (raw.writableNeedDrain && !must) return false;
      write(text);
      return true;
    },
    isOpen: () => !raw.destroyed && raw.socket?.destroyed !== true,
    stayAwake() {
      if (!raw.writableNeedDrain) {
        stalledMs = undefined;
        if (performance.now() - wroteMs > QUIET_MS) write(': \n\n');
        return;
      }
      stalledMs ??= performance.now();
      if (performance.now() - stalledMs > STALLED_MS) raw.destroy();
    },
  };
}
