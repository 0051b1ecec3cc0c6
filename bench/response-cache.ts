// What a row costs that is answered by what is kept, and one that is not, beside the model alone, in rounds taken in turn. No
// HTTP and no features: those cost the same either way.

import type { Value } from '../src/core/index.ts';
import type { ResolvedService } from '../src/definitions/index.ts';
import { compileBinding, createOnnxRuntime } from '../src/models/index.ts';
import { compileInfer, type Infer } from '../src/serving/response-cache/compile-infer.ts';
import { createResponseCaches } from '../src/serving/response-cache/response-caches.ts';
import type { ServedModel } from '../src/serving/served-models.ts';
import { treesModel } from '../test/support/onnx-model.ts';
import { median } from './median.ts';
import type { Figure, Section } from './report.ts';
import { benchScope, threadTimes } from './thread-times.ts';

const FEATURES = 30;
const [TREES, DEPTH] = [200, 6];
/** Of a row that is found, over one that the model runs for. */
const MOST_HIT = 0.25;
/** What a row takes beyond the model's run that is looked for in vain, and kept in the place of another. */
const MOST_MORE_MICROS = 6;

export async function responseCacheSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const [rounds, roundMs] = isQuick ? [5, 60] : [41, 100];
  const { cached, bare, close } = await open();
  const figures: Figure[] = [];
  for (const rows of [1, 64]) {
    let next = 0;
    const kept = rowsFrom(-1e9, rows);
    const fresh = () => rowsFrom((next += rows), rows);
    for (const [what, rowsOf] of [
      ['found', () => kept],
      ['looked for in vain', fresh],
    ] as const) {
      const measured = await threadTimes(
        async () => cached(rowsOf(), benchScope(), {}),
        async () => bare(rowsOf(), benchScope(), {}),
        rounds,
        roundMs,
      );
      const named = { name: `${rows} ${rows === 1 ? 'row' : 'rows'}, ${what}` };
      figures.push(
        what === 'found' ? { ...named, ...foundFigure(measured) } : { ...named, ...vainFigure(measured, rows) },
      );
    }
  }
  await close();
  return { title: 'Response cache', about: ABOUT, figures };
}

type Measured = readonly (readonly [cachedMs: number, bareMs: number])[];

function foundFigure(measured: Measured): Omit<Figure, 'name'> {
  const ratio = median(measured.map(([a, b]) => a / b));
  const micros = (which: 0 | 1): string => `${(1000 * median(measured.map((round) => round[which]))).toFixed(1)} µs`;
  return {
    value: micros(0),
    floor: `without a cache: ${micros(1)}`,
    ratio: ratio.toFixed(2),
    mustBe: `≤ ${MOST_HIT}`,
    isReached: ratio <= MOST_HIT,
  };
}

function vainFigure(measured: Measured, rows: number): Omit<Figure, 'name'> {
  const ofRow = (of: (round: Measured[number]) => number): number => (1000 * median(measured.map(of))) / rows;
  const moreMicros = ofRow(([a, b]) => a - b);
  return {
    value: `${moreMicros.toFixed(1)} µs more a row`,
    floor: `without a cache: ${ofRow(([, b]) => b).toFixed(1)} µs a row`,
    mustBe: `≤ ${MOST_MORE_MICROS} µs`,
    isReached: moreMicros <= MOST_MORE_MICROS,
  };
}

const ABOUT = `Rows of ${FEATURES} features whose answers are kept, and rows that come for the first time, beside the same rows at an arm that keeps nothing: ${TREES} trees of depth ${DEPTH}, in the process, one request at a time, without HTTP and features. The thread’s own time for a request, with the making of its rows; the ratio is the median of rounds that take turns.`;

interface Opened {
  readonly cached: Infer;
  readonly bare: Infer;
  close(): Promise<void>;
}

async function open(): Promise<Opened> {
  const onnx = treesModel(FEATURES, TREES, DEPTH);
  const loaded = await createOnnxRuntime().load(onnx, { providers: ['cpu'], mayBlock: true });
  const features = Array.from({ length: FEATURES }, (_, at) => ({
    name: `f${at}`,
    type: { kind: 'float64' as const },
    from: { kind: 'read' as const, read: 0, feature: 0 },
  }));
  const service: ResolvedService = { name: 's', requestColumns: [], reads: [], onDemand: [], features };
  const outputs = [{ name: 'probability', type: { kind: 'float32' as const } }];
  const binding = compileBinding(loaded.signature, service, { name: 'm', service: 's', outputs, providers: ['cpu'] });
  // All that running a row asks of it.
  const model = { loaded, binding, readsBehind: [] } as unknown as ServedModel;
  const caches = createResponseCaches({ maxBytes: 2 ** 28 });
  const cache = caches.hold(
    { endpoint: 'e', arm: 'a' },
    { ttlMicros: 3.6e9, maxBytes: 16 * 2 ** 20, maxEntries: 100_000 },
  );
  const keyOf = binding.compileKey?.();
  if (keyOf === undefined) throw new Error('a model’s own binding has a key');
  return {
    cached: compileInfer(model, { cache, keyOf }),
    bare: compileInfer(model, undefined),
    close: () => loaded.close(),
  };
}

/** No two numbers have the same rows. */
function rowsFrom(first: number, count: number) {
  return Array.from({ length: count }, (_, row) => ({
    values: Array.from({ length: FEATURES }, (_, at): Value => (at === 0 ? first + row : Math.sin(row + at))),
    statuses: [],
    reads: [],
  }));
}
