import { measurePredict, type PredictFigures } from './predict.ts';
import type { Figure, Section } from './report.ts';

export interface PredictSectionOptions {
  readonly isQuick: boolean;
  /** Runs what it gets with the address of a Redis, or says that there is none. */
  readonly withRedis: (measure: (url: string) => Promise<void>) => Promise<void>;
}

interface PredictBound {
  /** Least of ack's requests a second. */
  readonly least: number;
  /** Most of ack's p99. */
  readonly mostP99?: number;
}

/** Of one worker's requests a second, on two cores. */
const LEAST_OF_ONE_WORKER = 1.3;

export async function predictSection({ isQuick, withRedis }: PredictSectionOptions): Promise<Section> {
  const rounds = isQuick ? 2 : 9;
  const figures: Figure[] = [];
  const add = (result: PredictFigures, bound?: PredictBound): PredictFigures => {
    const figure = predictFigure(result, bound);
    console.log(`  ${figure.name}: ${figure.value}; ${figure.floor}; ${figure.ratio}`);
    figures.push(figure);
    return result;
  };
  add(await measurePredict({ rounds }), { least: 0.5, mostP99: 2.5 });
  add(await measurePredict({ model: 'mlp', rounds }));
  await withRedis(async (onlineUrl) => {
    add(await measurePredict({ rounds, onlineUrl }), { least: 0.36, mostP99: 2.5 });
  });
  const one = add(await measurePredict({ endpoint: 'given', rounds }), { least: 0.6 });
  const two = add(await measurePredict({ endpoint: 'given', workers: 2, rounds }), { least: 0.85 });
  const gain = two.ratio / one.ratio;
  figures.push({
    name: 'two workers against one, each beside ack',
    value: `${two.ratio.toFixed(3)} of ack`,
    floor: `one worker: ${one.ratio.toFixed(3)} of ack`,
    ratio: gain.toFixed(2),
    mustBe: `≥ ${LEAST_OF_ONE_WORKER}`,
    isReached: gain >= LEAST_OF_ONE_WORKER,
  });
  return {
    title: 'Predict over HTTP',
    about:
      'One row a request, 500 different ones in turn; 200 trees or an MLP; 64 connections; validation, prediction log and metrics on. Stored: 12 features of which two are merged windows, and one on demand. Given: 30 floats, all in the request. “ack” is a bare Fastify route in one process that parses the same bodies and answers a constant of the same length.',
    figures,
  };
}

function predictFigure(result: PredictFigures, bound: PredictBound | undefined): Figure {
  const rate = (load: PredictFigures['predict']) =>
    `${Math.round(load.requestsPerSecond).toLocaleString('en')}/s, p50 ${load.p50Ms} ms, p99 ${load.p99Ms} ms${load.failures === 0 ? '' : `, ${load.failures} FAILED`}`;
  // A refusal is quicker than an answer.
  const hasFailures = result.predict.failures + result.ack.failures > 0;
  const { least = 0, mostP99 = Infinity } = bound ?? {};
  const p99 = mostP99 === Infinity ? '' : `, p99 ≤ ${mostP99} × ack`;
  const isReached = result.ratio >= least && result.p99Ratio <= mostP99 && !hasFailures;
  const features = result.endpoint === 'live' ? `stored in ${result.store}` : 'given';
  return {
    name: `${features}, ${result.model}, ${result.workers === 1 ? 'one worker' : `${result.workers} workers`}`,
    value: rate(result.predict),
    floor: `ack: ${rate(result.ack)}`,
    ratio: `${result.ratio.toFixed(3)} (p99 × ${result.p99Ratio.toFixed(2)})`,
    ...(bound === undefined ? {} : { mustBe: `≥ ${least}${p99}`, isReached }),
  };
}
