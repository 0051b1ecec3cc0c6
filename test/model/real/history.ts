// One history of real writers, settlers, relinks and runs over a store and logs that are played: random steps, with
// crashes, restarts, failovers and late commands between them. Every acknowledged event is counted once.

import {
  encodeKey,
  type EncodedKey,
  HeadraceError,
  MICROS_PER_HOUR,
  type Row,
  silentLogger,
} from '../../../src/core/index.ts';
import { resolveService } from '../../../src/definitions/index.ts';
import { type Ingestion, openIngestion } from '../../../src/ingestion/index.ts';
import { writeNodes } from '../../../src/offline/materialize/node-writer.ts';
import { withCountedParts } from '../../../src/offline/materialize/counted-parts.ts';
import {
  createFeatureReader,
  type FeatureReader,
  createViewCodec,
  isCovered,
  isOpened,
  openRecordDirectory,
  openRowSchemas,
  openRuns,
  planRun,
  type Runs,
} from '../../../src/online/index.ts';
import { openDatabase } from '../../../src/storage/index.ts';
import { createRandom, type Random } from '../../support/chance.ts';
import { definitionsOf, eventManifest } from '../../support/event-definitions.ts';
import { baseOf, eventOf } from '../../support/fold-world.ts';
import { LIMITS } from '../../support/ingestion-limits.ts';
import { FakeLogs, type LogRules } from './fake-log.ts';
import { FakeStore, type StoreRules } from './fake-store.ts';
import { type Owner, settled, Steps } from './steps.ts';
import { delayBy } from './virtual-delay.ts';

export type ModelRules = StoreRules & LogRules;

export const ALL_RULES: ModelRules = {
  waitsForReplica: true,
  promisesReplica: true,
  keepsGreater: true,
  fences: true,
  locks: true,
  raisesHolder: true,
};

export interface Played {
  readonly seed: number;
  readonly counts: Readonly<Record<string, number>>;
  /** The first read that was wrong. */
  readonly wrong: string | undefined;
}

interface Runner extends Owner {
  /** How it ended. */
  state: string | undefined;
}

class Wrong extends Error {}

const NOW = 1_790_000_000_000_000;
const KEYS = ['a', 'b', 'c'] as const;
/** Each event of a key adds its own power of it, so that a sum shows how often each counts. */
const DIGIT = 4;
/** What an exact whole number of a double holds of such digits. */
const MOST_EVENTS = 25;
const STEPS = [120, 300];
const LONG = 4000;
/** Nothing is to be done after so many looks. */
const MOST_IDLE = 4;

interface Event {
  readonly key: string;
  /** Its digit of the key's sum. */
  readonly digit: number;
  isAcknowledged: boolean;
  /** Of a file's: a run has finished that read it. */
  isFiled?: boolean;
}

interface Request {
  readonly event: Event;
  readonly idempotencyKey: string | undefined;
  tries: number;
}

interface Server extends Owner {
  readonly machine: string;
  readonly ingestion: Ingestion;
}

const manifest = eventManifest({
  created: null,
  ttlMicros: null,
  features: [
    {
      name: 'sum',
      type: { kind: 'int64' },
      aggregation: { op: 'sum', column: 'n', windowMicros: 24 * MICROS_PER_HOUR, hopMicros: MICROS_PER_HOUR },
    },
  ],
});
const definitions = definitionsOf(manifest);
const codec = createViewCodec(manifest, 'v');
const keyOf = (k: string): EncodedKey => encodeKey([{ kind: 'string' }], [k]) as EncodedKey;

export async function playHistory(seed: number, rules: ModelRules = ALL_RULES): Promise<Played> {
  const history = await openHistory(seed, rules);
  let wrong: string | undefined;
  try {
    await history.play();
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    wrong = error.message;
  } finally {
    await history.close();
  }
  return { seed, counts: Object.fromEntries(history.counts), wrong };
}

async function openHistory(seed: number, rules: ModelRules) {
  const random = createRandom(seed);
  const database = await openDatabase('sqlite::memory:');
  const runs = await openRuns(database);
  const schemas = await openRowSchemas(database);
  const directory = await openRecordDirectory(runs, schemas);
  return new History(random, rules, { runs, schemas, directory }, () => database.close());
}

interface Registry {
  readonly runs: Runs;
  readonly schemas: Awaited<ReturnType<typeof openRowSchemas>>;
  readonly directory: Awaited<ReturnType<typeof openRecordDirectory>>;
}

class History {
  readonly counts = new Map<string, number>();
  readonly #random: Random;
  readonly #registry: Registry;
  readonly #closeRegistry: () => Promise<void>;
  readonly #steps: Steps;
  readonly #store: FakeStore;
  readonly #logs: FakeLogs;
  readonly #servers: Server[] = [];
  readonly #requests: Request[] = [];
  readonly #runners: Runner[] = [];
  readonly #events = new Map<string, Event[]>(KEYS.map((key) => [key, []]));
  /** Files of the source by path, an event each. */
  readonly #files = new Map<string, Event>();
  readonly #failsOver: boolean;
  readonly #crashiness: number;
  /** Of parts past which a writer cuts. */
  readonly #memoryBytes: number;
  readonly #reader: FeatureReader;
  /** What was last checked. */
  #seen = '';
  /** Of the history itself. */
  #failure: unknown;
  readonly #undoDelays: () => void;
  /** Since when what failed over may not have been written again. */
  #mayLack = false;

  constructor(random: Random, rules: ModelRules, registry: Registry, closeRegistry: () => Promise<void>) {
    this.#random = random;
    this.#registry = registry;
    this.#closeRegistry = closeRegistry;
    this.#steps = new Steps(random);
    this.#store = new FakeStore(this.#steps, random, rules, random.pick([1, 2]), NOW);
    this.#logs = new FakeLogs(this.#steps, rules);
    this.#failsOver = random.chance(0.6);
    this.#crashiness = random.pick([0.02, 0.08]);
    this.#memoryBytes = random.pick([256e6, 1, 1500]);
    const { directory } = registry;
    this.#reader = createFeatureReader(manifest, resolveService(manifest, 'v'), this.#store.of(READER), directory);
    this.#undoDelays = delayBy((ms) => this.#steps.delay(ms));
    for (const machine of ['A', random.pick(['A', 'B'])]) this.#servers.push(this.#start(machine));
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.isAlive = false;
    for (const runner of this.#runners) runner.isAlive = false;
    this.#undoDelays();
    await this.#closeRegistry();
  }

  async play(): Promise<void> {
    // Twice: the second time upon finished runs.
    for (const length of [this.#random.pick(STEPS), STEPS[0] as number]) {
      for (let left = length; left > 0; left--) {
        if (this.#random.chance(0.3)) await this.#disturb();
        else if (!(await this.#steps.next())) await this.#steps.pass(100);
        await this.#checkNow();
      }
      await this.#comeToRest();
    }
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #start(machine: string): Server {
    const owner = { isAlive: true, machine };
    const ingestion = openIngestion(
      {
        log: this.#logs.of(owner, machine),
        store: this.#store.of(owner),
        runs: this.#gated(owner),
        schemas: this.#registry.schemas,
        deriver: () => (rows) => rows,
        clock: { nowMicros: () => NOW },
        logger: silentLogger,
        limits: { ...LIMITS, timeoutMs: 600_000, memoryBytes: this.#memoryBytes },
      },
      // Each look looks for dead writers, too, and ends what could not be ended yet.
      { definitions: () => definitions, settleEveryMs: 0 },
    );
    return Object.assign(owner, { ingestion });
  }

  /** The registry, each of whose calls is a step. */
  #gated(owner: Owner): Runs {
    const { runs } = this.#registry;
    return new Proxy(runs, {
      get: (target, name) => {
        const call: unknown = Reflect.get(target, name);
        if (typeof call !== 'function') return call;
        return async (...given: unknown[]) => {
          await this.#steps.wait(owner, `registry: ${String(name)}`, () => {});
          // One of its own methods, with what it was called with.
          return (call as (...all: unknown[]) => unknown)(...given);
        };
      },
    });
  }

  #alive(): readonly Server[] {
    return this.#servers.filter(({ isAlive }) => isAlive);
  }

  async #disturb(): Promise<void> {
    const alive = this.#alive();
    const random = this.#random;
    const at = random.next();
    if (at < 0.4 && alive.length > 0) this.#push(random.pick(alive));
    else if (at < 0.5 && alive.length > 0) this.#in(random.pick(alive).ingestion.look());
    else if (at < 0.58 && alive.length > 0) this.#in(random.pick(alive).ingestion.settle());
    else if (at < 0.66) {
      // Each takes the place of the one before.
      if (!this.#runners.some(({ isAlive }) => isAlive) || random.chance(0.2)) this.#startRun(random.chance(0.3));
    } else if (at < 0.675) this.#killRun();
    else if (at < 0.69) this.#addFile();
    else if (at < 0.69 + this.#crashiness && alive.length > 0) this.#kill(random.pick(alive));
    else if (at < 0.82) this.#restart();
    else if (at < 0.86) {
      if (this.#store.dropConnection()) this.#count('connections lost');
    } else if (at < 0.88 && this.#failsOver) {
      const node = random.pick(this.#store.nodes);
      node.isReplicaAway = !node.isReplicaAway;
    } else if (at < 0.91) {
      if (this.#store.doLate()) this.#count('late commands');
    } else if (at < 0.95 && this.#failsOver) {
      this.#store.failOver(random.pick(this.#store.nodes));
      this.#mayLack = true;
      this.#count('failovers');
    } else await this.#steps.pass(1000);
    await settled();
  }

  /** What comes of it is seen by what is read. */
  #in(work: Promise<unknown>): void {
    work.catch(() => this.#count('refused'));
  }

  #push(server: Server): void {
    const repeatable = this.#requests.filter(
      ({ idempotencyKey, event, tries }) => idempotencyKey !== undefined && !event.isAcknowledged && tries < 6,
    );
    const isRepeat = repeatable.length > 0 && this.#random.chance(0.4);
    const request = isRepeat ? this.#random.pick(repeatable) : this.#newRequest();
    if (request !== undefined) void this.#send(server, request);
  }

  #newRequest(): Request | undefined {
    const key = this.#random.pick(KEYS);
    const events = this.#events.get(key) as Event[];
    if (events.length >= MOST_EVENTS) return undefined;
    const event: Event = { key, digit: events.length, isAcknowledged: false };
    events.push(event);
    const idempotencyKey = this.#random.chance(0.6) ? `K${this.#requests.length}` : undefined;
    const request = { event, idempotencyKey, tries: 0 };
    this.#requests.push(request);
    return request;
  }

  #addFile(): void {
    const key = this.#random.pick(KEYS);
    const events = this.#events.get(key) as Event[];
    if (events.length >= MOST_EVENTS) return;
    const event: Event = { key, digit: events.length, isAcknowledged: false };
    events.push(event);
    this.#files.set(`file ${this.#files.size}`, event);
  }

  async #send(server: Server, request: Request): Promise<void> {
    const { event, idempotencyKey } = request;
    request.tries++;
    const at = new Date(HAPPENED / 1000).toISOString();
    const row = { ...rowOf(event), n: DIGIT ** event.digit, happened: at, known: at };
    try {
      await server.ingestion.push('events', [row], idempotencyKey);
      event.isAcknowledged = true;
      this.#count('acknowledged');
    } catch {
      this.#count('push refused');
    }
  }

  #kill(server: Server): void {
    server.isAlive = false;
    this.#steps.take(({ owner, channel }) => owner === server && channel === undefined);
    this.#store.kill(server);
    this.#steps.take(({ owner }) => owner === server);
    this.#count('crashes');
  }

  #killRun(): void {
    const runner = this.#runners.find(({ isAlive }) => isAlive);
    if (runner === undefined) return;
    runner.isAlive = false;
    this.#store.kill(runner);
    this.#steps.take(({ owner }) => owner === runner);
    this.#count('runs killed');
  }

  #restart(): void {
    for (const [slot, { isAlive, machine }] of this.#servers.entries()) {
      if (!isAlive) this.#servers[slot] = this.#start(machine);
    }
  }

  #startRun(isFull: boolean): Runner {
    const owner: Runner = { isAlive: true, state: undefined };
    this.#runners.push(owner);
    this.#run(owner, isFull)
      .then(
        (state) => {
          owner.state = state;
          this.#count(`run ${state}`);
        },
        (error: unknown) => {
          if (!(error instanceof HeadraceError)) this.#failure ??= error;
          this.#count('run failed');
        },
      )
      .finally(() => (owner.isAlive = false));
    return owner;
  }

  async #run(owner: Owner, isFullAsked: boolean): Promise<string> {
    const runs = this.#gated(owner);
    const store = this.#store.of(owner);
    const log = this.#logs.of(owner, 'R');
    const version = codec.version;
    const asks = { view: 'v', version, proposed: -Infinity, asOf: NOW, carriesWaiting: true, fingerprint: '' };
    const files = [...this.#files];
    const snapshot = files.map(([path]) => ({ path, size: 1, etag: '' }));
    const row = await runs.ask({ ...asks, askedMicros: NOW });
    let answered: ReadonlySet<number> = new Set();
    let writers = await log.writers();
    for (let polls = 0; polls < 8; polls++) {
      answered = await runs.answers(row.number);
      writers = await log.writers();
      if (writers.every(({ state, number }) => state !== 'open' || answered.has(number))) break;
    }
    const marks = await store.marks(version);
    const earlier = await runs.ofVersion(version);
    const lists = await runs.snapshots(
      version,
      earlier.filter(isOpened).map(({ number }) => number),
    );
    const rows = earlier.map((one) => ({ ...one, snapshot: lists.get(one.number) }));
    const plan = planRun({ mode: 'keep', row: { ...row, snapshot }, rows, writers, answered, marks, isFullAsked });
    if (plan.kind === 'stop') return 'stopped';
    const { boundary, coverage, isFull, since, changes } = plan;
    const opened = await runs.open(row.number, { snapshot, boundary, coverage, isFull, since });
    if (opened === undefined || !isOpened(opened)) return 'taken over';
    const covered = this.#logs.shipped((writer, cut) => isCovered(coverage, writer, cut));
    const isNew = (writer: number, cut: number): boolean =>
      changes === null || changes.cuts.some((one) => one.writer === writer && one.after < cut && cut <= one.upTo);
    const newFiles = new Set((changes?.files ?? snapshot).map(({ path }) => path));
    const touched = new Set([
      ...covered
        .filter(({ writer, cut }) => isNew(writer, cut))
        .flatMap((entry) => entry.rows(SOURCE).map(({ row: own }) => String(own['k']))),
      ...files.filter(([path]) => newFiles.has(path)).map(([, { key }]) => key),
    ]);
    const link = { version, entity: codec.recordsOf, run: row.number, lifetimeMs: () => undefined };
    const storeRun = await store.run({ ...link, isOpen: () => runs.isOpen(row.number) });
    try {
      await writeNodes({
        store,
        storeRun,
        row: opened,
        retryMs: [1, 1, 1],
        pass: async (write) => {
          for (const k of touched) {
            const events = covered.flatMap((entry) =>
              entry
                .rows(SOURCE)
                .filter(({ row: own }) => own['k'] === k)
                .map(({ row: own }, i) => eventOf(codec, own, { writer: entry.writer, offset: entry.offset + i })),
            );
            const filed = files.filter(([, { key }]) => key === k).map(([, event]) => eventOf(codec, rowOf(event)));
            const base = baseOf(codec, row.number, NOW, [...filed, ...events]);
            await write(
              await withCountedParts(store, codec, coverage, [{ key: keyOf(k), base, isPushed: true }], () => true),
            );
          }
        },
      });
    } finally {
      await storeRun.close();
    }
    const counts = { keys: touched.size, written: touched.size, rowsInRange: 0, rowsIgnored: 0 };
    if (!(await runs.finish(row.number, counts, NOW))) return 'taken over';
    for (const [, event] of files) event.isFiled = true;
    return isFull ? 'finished full' : 'finished';
  }

  /** How often each event of a key counts, as a reader has it now. */
  async #read(key: string): Promise<readonly number[]> {
    const [row] = await this.#reader.read([[keyOf(key)]], NOW);
    const read = row?.[0];
    if (read?.statuses[0] === 'INVALID') throw new Wrong(`${key}: the row of its run is gone`);
    let sum = BigInt((read?.values[0] ?? 0) as number | bigint);
    return (this.#events.get(key) as Event[]).map(() => {
      const times = Number(sum % BigInt(DIGIT));
      sum /= BigInt(DIGIT);
      return times;
    });
  }

  /** Between steps: nothing counts twice, and unless a failover took it, all that is acknowledged counts. */
  async #checkNow(): Promise<void> {
    const seen = `${this.#store.changes} ${this.counts.get('acknowledged')}`;
    if (this.#mayLack || seen === this.#seen) return;
    this.#seen = seen;
    await this.#check('nothing');
  }

  /** `mayLack` files: a failover may have taken bases, which the next run restores. */
  async #check(mayLack: 'nothing' | 'files'): Promise<void> {
    for (const key of KEYS) {
      const times = await this.#read(key);
      for (const [digit, { isAcknowledged, isFiled }] of (this.#events.get(key) as Event[]).entries()) {
        if ((times[digit] ?? 0) > 1) throw new Wrong(`event ${digit} of ${key} counted ${times[digit]} times`);
        if (isFiled && mayLack !== 'files' && times[digit] === 0)
          throw new Wrong(`event ${digit} of ${key} is in the files and not counted`);
        if (isAcknowledged && times[digit] === 0) throw new Wrong(`event ${digit} of ${key} acknowledged and lost`);
      }
    }
  }

  /** Until nobody has more to do, or so many steps. */
  async #drain(): Promise<void> {
    for (let [left, idle] = [LONG, 0]; left > 0 && idle < MOST_IDLE; left--) {
      if (await this.#steps.next()) idle = 0;
      else {
        idle++;
        await this.#steps.pass(1000);
      }
    }
  }

  async #comeToRest(): Promise<void> {
    for (const node of this.#store.nodes) node.isReplicaAway = false;
    if (this.#failure !== undefined) throw this.#failure;
    this.#restart();
    await this.#drain();
    for (let rounds = 0; rounds < 3; rounds++) {
      for (const { ingestion } of this.#alive()) this.#in(ingestion.settle());
      await this.#drain();
      // As they do by themselves, every second: a log that could not be ended yet is ended.
      for (const { ingestion } of this.#alive()) this.#in(ingestion.look());
      await this.#drain();
    }
    await this.#check(this.#mayLack ? 'files' : 'nothing');
    // A repeat is answered in the end.
    for (const request of this.#requests) {
      if (request.idempotencyKey === undefined || request.event.isAcknowledged) continue;
      // It may be told once to send it again.
      for (let tries = 0; tries < 2 && !request.event.isAcknowledged; tries++) {
        void this.#send(this.#random.pick(this.#alive()), request);
        await this.#drain();
      }
      if (!request.event.isAcknowledged) throw new Wrong(`${request.idempotencyKey} is never answered`);
    }
    await this.#check(this.#mayLack ? 'files' : 'nothing');
    for (let tries = 0; tries < 6 && (tries === 0 || this.#mayLack); tries++) {
      const runner = this.#startRun(this.#random.chance(0.5));
      for (let rounds = 0; rounds < 200 && runner.isAlive; rounds++) {
        for (const { ingestion } of this.#alive()) this.#in(ingestion.look());
        await this.#drain();
      }
      // It restored what failed over.
      if (runner.state?.startsWith('finished') === true) this.#mayLack = false;
      await this.#check(this.#mayLack ? 'files' : 'nothing');
    }
    if (this.#mayLack) throw new Wrong('no run finishes');
  }
}

const HAPPENED = NOW - 60_000_000;
const rowOf = ({ key, digit }: Event): Row => ({
  k: key,
  happened: HAPPENED,
  known: HAPPENED,
  gone: false,
  x: null,
  n: BigInt(DIGIT ** digit),
  s: null,
});
const READER: Owner = { isAlive: true };
const SOURCE = manifest.sources['events'] as NonNullable<(typeof manifest.sources)[string]>;
