// Predict over HTTP against "ack", a bare route that parses the same bodies and answers a constant of the same length, in one
// process: varied keys, logging and metrics on, short rounds taken in turn, medians.

import { parseArgs } from 'node:util';
import { ask } from './check-answer.ts';
import { checkPredictions } from './check-predict.ts';
import { loadTool, medianLoad, postFor, type LoadResult } from './load.ts';
import { createPredictProject } from './predict-project.ts';
import { type BenchServer, startHeadrace, startScript } from './servers.ts';

export interface MeasurePredict {
  /** Default: LMDB in the project's folder. */
  readonly onlineUrl?: string;
  readonly model?: 'trees' | 'mlp';
  /** `live`: stored features; `given`: all of them in the request. */
  readonly endpoint?: 'live' | 'given';
  /** Of Headrace. */
  readonly workers?: number;
  readonly connections?: number;
  /** Of one round. */
  readonly seconds?: number;
  readonly rounds?: number;
}

export interface PredictFigures {
  readonly store: string;
  readonly model: 'trees' | 'mlp';
  readonly endpoint: 'live' | 'given';
  readonly workers: number;
  readonly tool: string;
  readonly predict: LoadResult;
  readonly ack: LoadResult;
  /** Requests per second of predict over those of ack. */
  readonly ratio: number;
  /** p99 of predict over that of ack. */
  readonly p99Ratio: number;
}

export async function measurePredict(options: MeasurePredict = {}): Promise<PredictFigures> {
  const { onlineUrl = 'lmdb:.headrace/online', model = 'trees', endpoint = 'live', workers = 1 } = options;
  const { connections = 64, seconds = 2, rounds = 5 } = options;
  const project = await createPredictProject(onlineUrl, model);
  const servers: BenchServer[] = [];
  try {
    const server = await startHeadrace(project.directory, { workers });
    servers.push(server);
    const url = `${server.url}/v1/endpoints/${endpoint}/predict`;
    await checkPredictions(url, project.endpoints[endpoint]);
    const { bodies: body } = project.endpoints[endpoint];
    const answer = await ask(url, body[0] ?? '');
    const ackServer = await startScript('ack-server.ts', [String(answer.length)], project.directory);
    servers.push(ackServer);
    const ackUrl = `${ackServer.url}/ack`;
    const results: { predict: LoadResult[]; ack: LoadResult[] } = { predict: [], ack: [] };
    for (let round = -1; round < rounds; round++) {
      for (const [name, target] of [
        ['ack', ackUrl],
        ['predict', url],
      ] as const) {
        const result = await postFor({
          url: target,
          body,
          connections,
          seconds: round < 0 ? 1 : seconds,
        });
        // The first round warms both up.
        if (round >= 0) results[name].push(result);
      }
    }
    const [predict, ack] = [medianLoad(results.predict), medianLoad(results.ack)];
    return {
      store: onlineUrl.split(':')[0] ?? '',
      model,
      endpoint,
      workers,
      tool: loadTool,
      predict,
      ack,
      ratio: predict.requestsPerSecond / ack.requestsPerSecond,
      p99Ratio: predict.p99Ms / ack.p99Ms,
    };
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    project.remove();
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { endpoint: { type: 'string' }, workers: { type: 'string' } } });
  const endpoint = values.endpoint === 'given' ? 'given' : 'live';
  console.log(JSON.stringify(await measurePredict({ endpoint, workers: Number(values.workers ?? 1) }), null, 2));
}
