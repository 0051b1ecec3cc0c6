// A materialize run of one version, as `materialize` does it: it asks, waits a while, plans by the product's own plan, opens
// its row and writes its bases by the product's own node writer. Only where facts are read from is the history's.

import { silentLogger } from '../../src/core/index.ts';
import type { LogEntry, WriterRow } from '../../src/events/index.ts';
import { withCountedParts } from '../../src/offline/materialize/counted-parts.ts';
import { writeNodes } from '../../src/offline/materialize/node-writer.ts';
import {
  askForRun,
  forgettable,
  isCovered,
  isOpened,
  noteLostWriters,
  type OpenedRow,
  type OpenPlan,
  planRun,
  type RunRow,
  type Runs,
} from '../../src/online/index.ts';
import { baseOf, eventOf } from '../support/fold-world.ts';
import { type Key, KEYS, keyOf, type ModelVersion, NOW } from './definitions.ts';
import { type Event, fileOf, microsOf, rowOf } from './facts.ts';
import type { OpenedRun, Runner, World } from './world.ts';

/** How often a run looks whether the writers have answered: some give up soon. */
const POLLS = [1, 3, 8];
const POLLS_AT_REST = 40;
const POLL_MS = 50;

/** Gives how it ended. */
export async function materialize(
  world: World,
  owner: Runner,
  version: ModelVersion,
  isFullAsked: boolean,
): Promise<string> {
  const runs = world.registry.runsOf(owner, world.steps);
  const store = world.store.of(owner);
  const files = world.facts.filed();
  const asks = {
    view: 'v',
    version: version.codec.version,
    proposed: world.facts.proposed(),
    asOf: NOW,
    carriesWaiting: true,
    fingerprint: '',
    askedMicros: NOW,
  };
  const row = await askForRun({ runs, store, logger: silentLogger }, asks);
  await noteLostWriters({ log: world.logs.of(owner, 'R'), runs: world.registry.runs, store, logger: silentLogger });
  const plan = await planOf(world, { runs, owner, row, files, isFullAsked });
  if (plan === undefined) return 'stopped';
  const snapshot = [...files].map(fileOf);
  const { boundary, coverage, isFull, since } = plan;
  const opened = await runs.open(row, { snapshot, boundary, coverage, isFull, since });
  if (opened === undefined || !isOpened(opened)) return 'taken over';
  const known: OpenedRun = { number: row.number, version: row.version, boundary, files, isFinished: false };
  world.versions.get(row.version)?.opened.push(known);
  await writeBases(world, { runs, owner, version, row: opened, plan, files });
  if (!(await runs.finish(row, NO_COUNTS, NOW))) return 'taken over';
  known.isFinished = true;
  await runs.forget(forgettable(await runs.ofVersion(row.version)));
  return isFull ? 'finished full' : 'finished';
}

const NO_COUNTS = { keys: 0, written: 0, rowsInRange: 0, rowsIgnored: 0 };

interface Planning {
  readonly runs: Runs;
  readonly owner: Runner;
  readonly row: RunRow;
  readonly files: ReadonlySet<Event>;
  readonly isFullAsked: boolean;
}

/** Undefined where the run has to stop. */
async function planOf(world: World, { runs, owner, row, files, isFullAsked }: Planning): Promise<OpenPlan | undefined> {
  const { answered, writers } = await waitForWriters(world, owner, runs, row.number);
  const marks = await world.store.of(owner).marks(row.version);
  const earlier = await runs.ofVersion(row.version);
  const lists = await runs.snapshots(
    row.version,
    earlier.filter(isOpened).map(({ number }) => number),
  );
  const plan = planRun({
    mode: world.facts.mode,
    row: { ...row, snapshot: [...files].map(fileOf) },
    rows: earlier.map((one) => ({ ...one, snapshot: lists.get(one.number) })),
    writers,
    answered,
    marks,
    isFullAsked,
  });
  return plan.kind === 'stop' ? undefined : plan;
}

async function waitForWriters({ logs, random, steps, isAtRest }: World, owner: Runner, runs: Runs, run: number) {
  const log = logs.of(owner, 'R');
  let answered: ReadonlySet<number> = new Set();
  let writers: readonly WriterRow[] = [];
  for (let polls = isAtRest ? POLLS_AT_REST : random.pick(POLLS); polls > 0; polls--) {
    answered = await runs.answers(run);
    // After the answers: what they shipped is seen.
    writers = await log.writers();
    if (writers.every(({ state, number }) => state !== 'open' || answered.has(number))) break;
    await steps.delay(POLL_MS);
  }
  return { answered, writers };
}

interface Writing {
  readonly runs: Runs;
  readonly owner: Runner;
  readonly version: ModelVersion;
  readonly row: OpenedRow;
  readonly plan: OpenPlan;
  readonly files: ReadonlySet<Event>;
}

async function writeBases(world: World, { runs, owner, version, row, plan, files }: Writing): Promise<void> {
  const { codec } = version;
  const { coverage, boundary } = row;
  const store = world.store.of(owner);
  const entries = world.logs.shipped((writer, cut) => isCovered(coverage, writer, cut));
  const facts = { files, entries, boundary, isKeep: world.facts.mode === 'keep' };
  const touched = plan.changes === null ? new Set(KEYS) : touchedKeys(plan.changes, facts);
  const link = { version: codec.version, entity: codec.recordsOf, run: row.number, lifetimeMs: () => undefined };
  const storeRun = await store.run({ ...link, isOpen: () => runs.isOpen(row) });
  try {
    await writeNodes({
      store,
      storeRun,
      row,
      retryMs: [1, 1, 1],
      pass: async (write) => {
        for (const k of touched) {
          const base = baseOf(codec, row.number, NOW, eventsOf(codec, k, facts));
          const packed = [{ key: keyOf(k), base, isPushed: true }];
          await write(await withCountedParts(store, codec, coverage, packed, () => true));
        }
      },
    });
  } finally {
    await storeRun.close();
  }
}

/** What a run reads. */
interface RunFacts {
  readonly files: ReadonlySet<Event>;
  readonly entries: readonly LogEntry[];
  readonly boundary: number;
  readonly isKeep: boolean;
}

/** A pushed row, with where it lies. */
function pushedRows({ entries }: RunFacts) {
  return entries.flatMap((entry) =>
    entry.rows(SOURCE_AS_IT_CAME).map(({ row, knownMicros }, i) => ({
      row: { ...row, known: row['known'] ?? knownMicros },
      key: row['k'] as Key,
      micros: row['happened'] as number,
      place: { writer: entry.writer, cut: entry.cut, offset: entry.offset + i },
    })),
  );
}

// The fake keeps rows as they came, whatever source they are asked for.
const SOURCE_AS_IT_CAME = {} as Parameters<LogEntry['rows']>[0];

function touchedKeys(changes: NonNullable<OpenPlan['changes']>, facts: RunFacts): ReadonlySet<Key> {
  const { files, cuts, passed } = changes;
  const newFiles = new Set(files.map(({ path }) => path));
  const isPassed = (micros: number): boolean => passed !== null && passed.after < micros && micros <= passed.upTo;
  const isNew = (writer: number, cut: number): boolean =>
    cuts.some((one) => one.writer === writer && one.after < cut && cut <= one.upTo);
  return new Set([
    ...[...facts.files]
      .filter((event) => newFiles.has(fileOf(event).path) || isPassed(microsOf(event)))
      .map(({ key }) => key),
    ...pushedRows(facts)
      .filter(({ micros, place }) => isNew(place.writer, place.cut) || isPassed(micros))
      .map(({ key }) => key),
  ]);
}

/** Up to the boundary the files' rows, past it the log's; with `keep` both. */
function eventsOf(codec: ModelVersion['codec'], k: Key, facts: RunFacts) {
  const { files, boundary, isKeep } = facts;
  return [
    ...[...files]
      .filter((event) => event.key === k && (isKeep || microsOf(event) <= boundary))
      .map((event) => eventOf(codec, rowOf(event))),
    ...pushedRows(facts)
      .filter(({ key, micros }) => key === k && (isKeep || micros > boundary))
      .map(({ row, place }) => eventOf(codec, row, place)),
  ];
}
