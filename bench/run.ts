// `npm run bench`: measures every figure beside its floor, in one run and one process after the other, prints them, and
// writes docs/benchmarks.md. `--only predict,push` runs some, and writes their sections; `--quick` takes small sizes and writes nothing.

import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { hasRedis, startRedis } from '../test/support/redis-server.ts';
import { assignmentSection } from './assignment.ts';
import { batchPredictionSection } from './batch-prediction.ts';
import { checksSection } from './checks.ts';
import { coldStartSection } from './cold-start.ts';
import { measureDecodeAndMerge } from './decode-and-merge.ts';
import { measureDefinitions } from './definitions.ts';
import { feastSection } from './feast.ts';
import { featuresReadSection } from './features-read.ts';
import { featuresReadArrowSection } from './features-read-arrow.ts';
import { grpcSection } from './grpc.ts';
import { goingBackSection } from './going-back.ts';
import { graphsSection } from './graphs.ts';
import { kafkaSection } from './kafka.ts';
import { FULL_SIZES, localExecutorSection, QUICK_SIZES } from './local-executor.ts';
import { type MaterializeFigures, measureMaterialize } from './materialize.ts';
import { monitoringCostSection } from './monitoring-cost.ts';
import { oipSection } from './oip.ts';
import { overloadSection } from './overload.ts';
import { planSection } from './plan.ts';
import { pythonClientSection } from './python-client.ts';
import { predictSection } from './predict-section.ts';
import {
  hotKeySection,
  pushMemorySection,
  type PushSections,
  pushSection,
  uncoveredCutsSection,
} from './push-sections.ts';
import { type Figure, intoPage, type Section, toText, whole } from './report.ts';
import { pipelinesSection } from './pipelines.ts';
import { responseCacheSection } from './response-cache.ts';
import { restoreSection } from './restore.ts';
import { resumeSection } from './resume.ts';
import { runRowsSection } from './run-rows.ts';
import { s3Section } from './s3.ts';
import { shadowSection } from './shadow.ts';
import { slowModelSection } from './slow-model.ts';
import { measureTrainingSets } from './training-set.ts';
import { measureVersions, versionsSection } from './versions.ts';

const { values } = parseArgs({ options: { only: { type: 'string' }, quick: { type: 'boolean', default: false } } });
const isQuick = values.quick;

const pushing: PushSections = {
  isQuick,
  async forEachStore(measure) {
    await measure(undefined);
    await withRedis(measure);
  },
};

/** Of the store's own bulk load. */
const LEAST_OF_BULK_LOAD = { lmdb: 0.4, redis: 0.6 };
/** Of a million keys, from the files to the store. */
const MOST_SECONDS = 6;

const sections: Readonly<Record<string, () => Promise<Section>>> = {
  'training-set': measureOffline,
  'batch-prediction': () => batchPredictionSection({ rows: isQuick ? 100_000 : 10_000_000 }),
  s3: () => s3Section({ isQuick }),
  materialize: measureStores,
  checks: () => checksSection(isQuick),
  decode: measureDecode,
  assignment: async () => assignmentSection(isQuick),
  predict: () => predictSection({ isQuick, withRedis }),
  oip: () => oipSection({ isQuick }),
  grpc: () => grpcSection({ isQuick }),
  'monitoring-cost': () => monitoringCostSection({ isQuick }),
  'features-read': measureReads,
  'features-read-arrow': measureArrowReads,
  feast: measureFeastReads,
  definitions: measureLoading,
  plan: () => planSection(isQuick ? 1 : 5),
  versions: measureChange,
  push: () => pushSection(pushing),
  'hot-key': () => hotKeySection(pushing),
  'uncovered-cuts': () => uncoveredCutsSection(pushing),
  'push-memory': () => pushMemorySection(pushing),
  kafka: () => kafkaSection({ isQuick }),
  graphs: () => graphsSection({ isQuick }),
  'response-cache': () => responseCacheSection({ isQuick }),
  'slow-model': () => slowModelSection(isQuick ? 2 : 10),
  shadow: () => shadowSection({ isQuick }),
  'going-back': () => goingBackSection({ isQuick }),
  overload: () => overloadSection({ isQuick }),
  pipelines: () => pipelinesSection({ isQuick }),
  restore: () => restoreSection({ isQuick, withRedis }),
  resume: () => resumeSection({ isQuick }),
  'run-rows': () => runRowsSection({ isQuick }),
  'cold-start': () => coldStartSection({ isQuick }),
  'local-executor': () => localExecutorSection(isQuick ? QUICK_SIZES : FULL_SIZES),
  'python-client': () =>
    pythonClientSection(isQuick ? { spineRows: 50_000, rounds: 1 } : { spineRows: 1_000_000, rounds: 5 }),
};

const wanted = values.only?.split(',') ?? Object.keys(sections);
const unknown = wanted.filter((name) => !(name in sections));
if (unknown.length > 0) {
  console.error(`--only ${unknown.join(',')}: expected some of ${Object.keys(sections).join(', ')}`);
  process.exit(2);
}

const done: Section[] = [];
for (const name of wanted) {
  console.log(`\nMeasuring ${name}…`);
  const section = await (sections[name] as () => Promise<Section>)();
  console.log(toText(section));
  done.push(section);
}

if (!isQuick) {
  const machine = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`;
  const path = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url));
  // A whole run leaves nothing of what is measured no more.
  const page = values.only === undefined ? '' : readFileSync(path, 'utf8');
  writeFileSync(path, intoPage(page, done, { machine, date: new Date().toISOString().slice(0, 10) }));
  console.log('\nWrote docs/benchmarks.md.');
}
const missed = done.flatMap(({ figures }) => figures).filter(({ isReached }) => isReached === false);
for (const figure of missed)
  console.log(`Not reached: ${figure.name}: ${figure.ratio ?? figure.value}, must be ${figure.mustBe}`);

async function measureChange(): Promise<Section> {
  const figures: Figure[] = [];
  await pushing.forEachStore(async (onlineUrl) => {
    const sizes = isQuick ? { rounds: 2, keys: 20_000, applies: 3 } : { rounds: 5, keys: 300_000, applies: 10 };
    figures.push(...(await measureVersions({ onlineUrl, seconds: 2, ...sizes })));
  });
  return versionsSection(figures);
}

async function measureLoading(): Promise<Section> {
  const { floorSeconds, loadSeconds, checkSeconds } = await measureDefinitions(isQuick ? 1 : 7);
  const seconds = (value: number): string => `${value.toFixed(2)} s`;
  const bundling = loadSeconds - floorSeconds;
  return {
    title: 'Loading definitions',
    about:
      'A feature repository of 500 views and 50 functions in 50 files, from sources, each time in a process of its own (medians): loading it with its functions bundled against importing its files and compiling what they export; and the check of its types, which includes those of Headrace’s own sources.',
    figures: [
      {
        name: 'loading, functions bundled',
        value: seconds(loadSeconds),
        floor: `nothing bundled: ${seconds(floorSeconds)}`,
        ratio: (loadSeconds / floorSeconds).toFixed(2),
        mustBe: '≤ 0.5 s more',
        isReached: bundling <= 0.5,
      },
      { name: 'checking types', value: seconds(checkSeconds), mustBe: '≤ 1 s', isReached: checkSeconds <= 1 },
    ],
  };
}

async function measureOffline(): Promise<Section> {
  const sizes = isQuick ? { latestRows: 1_000_000, spineRows: 100_000, rounds: 1 } : {};
  const results = await measureTrainingSets(sizes);
  return {
    title: 'Training sets',
    about:
      'Seconds to write the training set as Parquet, against plain SQL over the same files in the same engine with the same memory limit (4 GB). Latest rows: 100,000 keys with 100 rows each over a year. The whole command is `headrace training-set create`, checksums and record included, in turns with its floor, a process that does nothing but the join, both from the start of the process to its end (medians); DuckDB’s ASOF join takes any tie, and knows neither TTL nor known times. Windows: count and mean over 3 h, 1 d, 7 d and 30 d by airport, as in the flights example.',
    figures: results.map((result): Figure => {
      const bound = boundOf(result.name);
      return {
        name: result.name,
        value: `${result.seconds.toFixed(2)} s (${result.rowsPerSecond.toLocaleString('en')} rows/s, peak ${result.peakMegabytes} MB)`,
        floor: `${result.floor}: ${result.floorSeconds.toFixed(2)} s`,
        ratio: result.ratio.toFixed(3),
        ...(bound === undefined ? {} : { mustBe: `≤ ${bound}`, isReached: result.ratio <= bound }),
      };
    }),
  };
}

// A short TTL is the range join's best case: it is shown beside, without a bound.
function boundOf(name: string): number | undefined {
  if (name.startsWith('windows')) return 0.3;
  if (name.startsWith('whole command')) return 1.7;
  return name.endsWith('no TTL') ? 0.2 : undefined;
}

async function measureStores(): Promise<Section> {
  const keys = isQuick ? 20_000 : 1_000_000;
  const results = [await measureMaterialize({ keys })];
  await withRedis(async (redisUrl) => results.push(await measureMaterialize({ keys, redisUrl })));
  return {
    title: 'Materialize',
    about:
      'From Parquet into the store, one row of ten floats a key, against as many records of the same bytes by the fastest there is: `redis-cli --pipe`, and a bare loop of LMDB’s puts. The write path alone: bases that are ready, to the run’s mark.',
    figures: results.flatMap(materializeFigures),
  };
}

function materializeFigures(result: MaterializeFigures): Figure[] {
  const { store, keys, seconds, ratio, writeRatio } = result;
  const name = `${store}, ${whole(keys)} keys`;
  const floor = `bulk load of ${result.recordBytes}-byte records: ${whole(result.floorRowsPerSecond)} rows/s`;
  const least = LEAST_OF_BULK_LOAD[store];
  return [
    {
      name: `${name}, from Parquet`,
      value: `${whole(result.rowsPerSecond)} rows/s, ${seconds.toFixed(1)} s`,
      floor,
      ratio: ratio.toFixed(3),
      mustBe: `≥ ${least}, in ${MOST_SECONDS} s`,
      isReached: ratio >= least && seconds <= MOST_SECONDS,
    },
    {
      name: `${name}, the write path alone`,
      value: `${whole(result.writeRowsPerSecond)} rows/s`,
      floor,
      ratio: writeRatio.toFixed(3),
    },
  ];
}

async function measureDecode(): Promise<Section> {
  const results = await measureDecodeAndMerge();
  return {
    title: 'Decode and merge',
    about: 'Nanoseconds per operation in one thread, LMDB, warm.',
    figures: Object.entries(results).map(
      ([name, nanoseconds]): Figure => ({ name, value: `${Math.round(nanoseconds)} ns` }),
    ),
  };
}

async function measureReads(): Promise<Section> {
  let section: Section = { title: 'Features read', about: 'Not measured: there was no redis-server.', figures: [] };
  await withRedis(async (redisUrl) => {
    section = await featuresReadSection({ redisUrl, rounds: isQuick ? 1 : 5 });
  });
  return section;
}

async function measureFeastReads(): Promise<Section> {
  let section: Section = {
    title: 'Features read by Feast’s API',
    about: 'Not measured: there was no redis-server.',
    figures: [],
  };
  await withRedis(async (redisUrl) => {
    section = await feastSection({ redisUrl, rounds: isQuick ? 1 : 5 });
  });
  return section;
}

async function measureArrowReads(): Promise<Section> {
  const rounds = isQuick ? 1 : 5;
  const section = await featuresReadArrowSection({ redisUrl: undefined, rounds });
  const figures = [...section.figures];
  await withRedis(async (redisUrl) => figures.push(...(await featuresReadArrowSection({ redisUrl, rounds })).figures));
  return { ...section, figures };
}

async function withRedis(measure: (url: string) => Promise<unknown>): Promise<void> {
  if (!hasRedis()) {
    console.log('redis-server not found: Redis is not measured.');
    return;
  }
  const redis = await startRedis();
  try {
    await measure(redis.url);
  } finally {
    await redis.stop();
  }
}
