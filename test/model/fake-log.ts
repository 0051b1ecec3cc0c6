// Event logs of several machines: what is appended is durable, a lock dies with its process, and what is shipped can be
// read by all. Each call that touches a disk, the registry or the object store is a step.

import { HeadraceError } from '../../src/core/index.ts';
import type {
  CutContents,
  CutRecord,
  CutView,
  EventLog,
  LogEntry,
  LogWriter,
  NewEntry,
  WriterRow,
} from '../../src/events/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import type { Owner, Steps } from './steps.ts';

export interface LogRules {
  /** Only a dead process's log is taken over. */
  readonly locks: boolean;
  /** Whoever takes a log over is another holder. */
  readonly raisesHolder: boolean;
  /** A writer whose row the registry lost is open until the row is back. */
  readonly standsForLost: boolean;
}

/** A writer's log as it lies on its machine's disk and, up to `shipped`, where every machine reads. */
interface Kept {
  readonly number: number;
  /** Tells two writers apart that were given one number. */
  readonly token: string;
  /** Where a folder of it lies: several once it was copied. */
  readonly machines: Set<string>;
  lock: Owner | undefined;
  /** What a process that holds it calls itself. */
  holder: number;
  cut: number;
  shipped: number;
  rows: number;
  isGone: boolean;
  /** Its machine is gone for good, with what was not shipped. */
  isLost: boolean;
  readonly views: Map<number, CutView>;
  readonly voids: Map<number, ReadonlySet<number>>;
  readonly entries: LogEntry[];
}

/** What the registry has of a writer. */
interface Row {
  readonly kept: Kept;
  holder: number;
  state: WriterRow['state'];
  cut: number;
  shipped: number;
}

/** Of a row that stands for a lost one. */
const LOST_TOKEN = 'lost';

/** An entry of an event. */
export interface EventPlace {
  readonly view: CutView;
  readonly isLost: boolean;
  readonly isForgotten: boolean;
}

// The fake keeps rows as they came, whatever source they are asked for.
const ANY_SOURCE = {} as SourceSpec;

export class FakeLogs {
  readonly #steps: Steps;
  readonly #rules: LogRules;
  readonly #kept: Kept[] = [];
  /** The registry's, by number. */
  #rows = new Map<number, Row>();

  constructor(steps: Steps, rules: LogRules) {
    this.#steps = steps;
    this.#rules = rules;
  }

  /** Where an event lies, for the oracle: in which entries that are not void. */
  placesOf(key: string, n: bigint): readonly EventPlace[] {
    return this.#kept.flatMap((kept) =>
      kept.entries
        .filter(({ cut, offset }) => !(kept.voids.get(cut)?.has(offset) ?? false))
        .filter((entry) => entry.rows(ANY_SOURCE).some(({ row }) => row['k'] === key && row['n'] === n))
        .map(({ cut }) => ({
          view: kept.views.get(cut) ?? new Map(),
          isLost: kept.isLost && cut > kept.shipped,
          isForgotten: this.#rowOf(kept)?.state === 'forgotten',
        })),
    );
  }

  /** A machine is gone for good, with all that it did not ship. */
  loseMachine(machine: string): void {
    for (const kept of this.#kept) {
      kept.machines.delete(machine);
      if (kept.machines.size === 0 && this.#rowOf(kept)?.state !== 'ended') kept.isLost = true;
    }
  }

  /** `headrace log forget` of those that are lost. */
  forgetLost(): void {
    const isGoneForGood = (number: number): boolean =>
      this.#kept.every((kept) => kept.number !== number || kept.isLost || kept.isGone);
    for (const [number, row] of this.#rows) {
      if (row.state !== 'open') continue;
      if (row.kept.isLost || (isStandIn(row) && isGoneForGood(number))) row.state = 'forgotten';
    }
  }

  /** The disk of a machine comes to another one too. */
  copyFolders(from: string, to: string): void {
    for (const { machines, isGone } of this.#kept) if (machines.has(from) && !isGone) machines.add(to);
  }

  /** Numbers of the writers that the registry knows. */
  known(): ReadonlySet<number> {
    return new Set(this.#rows.keys());
  }

  /**
   * The registry goes back: it has lost the rows of writers that it did not know then. Of the others it is taken to have
   * what they reported, which they do every two seconds, and of those that are gone from their disks the rows too.
   */
  goBack(known: ReadonlySet<number>): void {
    for (const [number, { kept }] of this.#rows) if (!known.has(number) && !kept.isGone) this.#rows.delete(number);
  }

  /** A row for each writer before this one that the registry has lost. */
  #addLost(before: number): void {
    if (!this.#rules.standsForLost) return;
    const last = Math.max(0, ...[...this.#rows.keys()].filter((number) => number < before));
    for (let number = last + 1; number < before; number++) {
      const kept: Kept = { ...NEW_LOG(), number, token: LOST_TOKEN, machines: new Set() };
      this.#rows.set(number, { kept, holder: 1, state: 'open', cut: 0, shipped: 0 });
    }
  }

  /** Whether the registry lacks the writer's own row. */
  #isMissing(number: number): boolean {
    const row = this.#rows.get(number);
    return row === undefined || (isStandIn(row) && row.state === 'open');
  }

  /** Whoever holds a log reports every few seconds that it lives; then a lost row is there again, of a log that is open. */
  beat(): void {
    for (const kept of this.#kept) {
      const { lock, holder, number } = kept;
      if (lock?.isAlive === true && this.#isMissing(number))
        this.#restore({ kept, holder, state: 'open', cut: 0, shipped: 0 });
    }
  }

  of(owner: Owner, machine: string): EventLog {
    const step = <T>(what: string, work: () => T): Promise<T> => this.#steps.wait(owner, what, work);
    return {
      register: (seen) =>
        step('register', () => {
          const number = Math.max(0, seen?.number ?? 0, ...this.#rows.keys()) + 1;
          this.#addLost(number);
          const kept: Kept = { ...NEW_LOG(), number, token: `t${this.#kept.length}`, machines: new Set([machine]) };
          kept.lock = owner;
          this.#kept.push(kept);
          this.#rows.set(number, { kept, holder: 1, state: 'open', cut: 0, shipped: 0 });
          return this.#handle(owner, kept);
        }),
      renumbers: false,
      renumber: async () => false,
      noteLost: async ({ number }) => {
        if (Math.max(0, ...this.#rows.keys()) < number) this.#addLost(number + 1);
      },
      adopt: () => step('adopt', () => this.#adopt(owner, machine)),
      writers: async () => [...this.#rows.values()].map(rowOf).toSorted((a, b) => a.number - b.number),
      read: (writer, from, to) => this.#read(writer, from, to),
      waiting: async () => new Map(),
      contents: async () => [...this.#rows.values()].flatMap(({ kept, shipped }) => contentsOf(kept, shipped)),
      forget: () => Promise.reject(new Error('nothing is forgotten here')),
      remove: () => Promise.reject(new Error('nothing is removed here')),
      close: async () => {},
    };
  }

  /** Decided entries of shipped cuts, as a run reads them. */
  shipped(covers: (writer: number, cut: number) => boolean): readonly LogEntry[] {
    return [...this.#rows.values()].flatMap(({ kept: { number, entries, voids }, shipped }) =>
      entries.filter(
        ({ cut, offset }) => cut <= shipped && covers(number, cut) && !(voids.get(cut)?.has(offset) ?? false),
      ),
    );
  }

  #rowOf(kept: Kept): Row | undefined {
    const row = this.#rows.get(kept.number);
    return row?.kept === kept ? row : undefined;
  }

  #adopt(owner: Owner, machine: string): LogWriter[] {
    const found = this.#kept.filter(
      (kept) => kept.machines.has(machine) && !kept.isGone && !kept.isLost && kept.lock !== owner && this.#isFree(kept),
    );
    return found.flatMap((kept) => {
      // One that the registry has lost is there again, and adopted by a later look; who held it last is not known.
      if (this.#isMissing(kept.number)) this.#restore({ kept, holder: 1, state: 'open', cut: 0, shipped: 0 });
      else {
        const row = this.#rowOf(kept);
        if (row === undefined || row.state === 'forgotten') return [];
        kept.lock = owner;
        if (this.#rules.raisesHolder) row.holder++;
        kept.holder = row.holder;
        return [this.#handle(owner, kept)];
      }
      return [];
    });
  }

  #restore(row: Row): void {
    this.#addLost(row.kept.number);
    this.#rows.set(row.kept.number, row);
  }

  #isFree({ lock }: Kept): boolean {
    return !this.#rules.locks || lock === undefined || !lock.isAlive;
  }

  async *#read(writer: number, from: number, to: number): AsyncGenerator<LogEntry> {
    const row = this.#rows.get(writer);
    for (const entry of row?.kept.entries ?? []) {
      const isIn = entry.cut >= from && entry.cut <= Math.min(to, row?.shipped ?? 0);
      if (isIn && !(row?.kept.voids.get(entry.cut)?.has(entry.offset) ?? false)) yield entry;
    }
  }

  #handle(owner: Owner, kept: Kept): LogWriter {
    const { holder } = kept;
    const disk = {};
    /** The cut that entries of later calls are in. */
    let called = kept.cut;
    const conflict = (): HeadraceError => new HeadraceError('HR_CONFLICT', 'another holds the log');
    const step = <T>(what: string, work: () => T, channel?: object): Promise<T> =>
      this.#steps.wait(
        owner,
        what,
        () => {
          if (kept.holder !== holder) throw conflict();
          return work();
        },
        channel,
      );
    /** To the registry, which may have lost the row. */
    const report = (news: Partial<Pick<Row, 'state'>> = {}): void => {
      if (this.#isMissing(kept.number)) this.#restore({ kept, holder, state: 'open', cut: 0, shipped: 0 });
      const row = this.#rowOf(kept);
      if (row === undefined || row.holder !== holder || row.state === 'forgotten') throw conflict();
      Object.assign(row, { cut: kept.cut, shipped: kept.shipped, ...news });
    };
    return {
      writer: kept.number,
      token: kept.token,
      holder,
      get cut() {
        return kept.cut;
      },
      append: ({ source, rows, key, isPutBack }: NewEntry) => {
        const cut = called;
        return step(
          'append',
          () => {
            const entry: LogEntry = {
              writer: kept.number,
              cut,
              offset: kept.rows + 1,
              source: source.name,
              count: rows.length,
              ...(key !== undefined && { key }),
              ...(isPutBack && { isPutBack }),
              rows: () => rows,
            };
            kept.rows += rows.length;
            kept.entries.push(entry);
            return entry;
          },
          disk,
        );
      },
      openCut: (view) => {
        const cut = ++called;
        return step(
          'open a cut',
          () => {
            kept.views.set(cut, view);
            kept.cut = cut;
            report();
            return cut;
          },
          disk,
        );
      },
      seal: (cut, voids) => step('seal', () => void kept.voids.set(cut, new Set(voids)), disk),
      ship: () =>
        step('ship', () => {
          while (kept.voids.has(kept.shipped + 1)) kept.shipped++;
          report();
          return kept.shipped;
        }),
      cuts: async () => [...kept.views].map(([cut, view]): CutRecord => ({ cut, view, voids: kept.voids.get(cut) })),
      entries: (from, to) => entriesOf(kept, from, to),
      touch: () => step('report', () => report()),
      finish: () => step('finish', () => report({ state: 'ended' })),
      end: () =>
        step('end', () => {
          report({ state: 'ended' });
          kept.isGone = true;
          kept.lock = undefined;
        }),
      close: async () => {
        if (kept.lock === owner) kept.lock = undefined;
      },
    };
  }
}

const isStandIn = ({ kept }: Row): boolean => kept.token === LOST_TOKEN;

const NEW_LOG = () => ({
  lock: undefined,
  holder: 1,
  cut: 0,
  shipped: 0,
  rows: 0,
  isGone: false,
  isLost: false,
  views: new Map<number, CutView>(),
  voids: new Map<number, ReadonlySet<number>>(),
  entries: [],
});

async function* entriesOf({ entries }: Kept, from: number, to: number): AsyncGenerator<LogEntry> {
  for (const entry of entries) if (entry.cut >= from && entry.cut <= to) yield entry;
}

function contentsOf({ number, entries }: Kept, shipped: number): readonly CutContents[] {
  const cuts = Map.groupBy(
    entries.filter(({ cut }) => cut <= shipped),
    ({ cut }) => cut,
  );
  return [...cuts].map(([cut, own]) => {
    const rows = new Map([['events', own.reduce((sum, { count }) => sum + count, 0)]]);
    return { writer: number, cut, rows, shippedMicros: 0 };
  });
}

function rowOf({ kept, holder, state, cut, shipped }: Row): WriterRow {
  return {
    number: kept.number,
    token: kept.token,
    machine: [...kept.machines][0] ?? 'lost',
    holder,
    state,
    cut,
    shipped,
    removed: 0,
    logged: kept.rows,
    registeredMicros: 0,
    seenMicros: 0,
    place: null,
  };
}
