// Event logs of several machines: what is appended is durable, a lock dies with its process, and what is shipped can be
// read by all. Each call that touches a disk, the registry or the object store is a step.

import { HeadraceError } from '../../../src/core/index.ts';
import type {
  CutContents,
  CutRecord,
  CutView,
  EventLog,
  LogEntry,
  LogWriter,
  NewEntry,
  WriterRow,
} from '../../../src/events/index.ts';
import type { Owner, Steps } from './steps.ts';

export interface LogRules {
  /** Only a dead process's log is taken over. */
  readonly locks: boolean;
  /** Whoever takes a log over is another holder. */
  readonly raisesHolder: boolean;
}

interface Kept {
  readonly number: number;
  readonly machine: string;
  lock: Owner | undefined;
  holder: number;
  state: WriterRow['state'];
  cut: number;
  shipped: number;
  rows: number;
  isGone: boolean;
  readonly views: Map<number, CutView>;
  readonly voids: Map<number, ReadonlySet<number>>;
  readonly entries: LogEntry[];
}

export class FakeLogs {
  readonly #steps: Steps;
  readonly #rules: LogRules;
  readonly #kept: Kept[] = [];

  constructor(steps: Steps, rules: LogRules) {
    this.#steps = steps;
    this.#rules = rules;
  }

  /** Entries of all logs, for the oracle. */
  get entries(): readonly { readonly entry: LogEntry; readonly isVoid: boolean }[] {
    return this.#kept.flatMap(({ entries, voids }) =>
      entries.map((entry) => ({ entry, isVoid: voids.get(entry.cut)?.has(entry.offset) ?? false })),
    );
  }

  of(owner: Owner, machine: string): EventLog {
    const step = <T>(what: string, work: () => T): Promise<T> => this.#steps.wait(owner, what, work);
    return {
      register: () =>
        step('register', () => {
          const kept: Kept = {
            number: this.#kept.length + 1,
            machine,
            lock: owner,
            holder: 1,
            state: 'open',
            cut: 0,
            shipped: 0,
            rows: 0,
            isGone: false,
            views: new Map(),
            voids: new Map(),
            entries: [],
          };
          this.#kept.push(kept);
          return this.#handle(owner, kept);
        }),
      adopt: () =>
        step('adopt', () =>
          this.#kept
            .filter((kept) => kept.machine === machine && !kept.isGone && kept.lock !== owner && this.#isFree(kept))
            .map((kept) => {
              kept.lock = owner;
              if (this.#rules.raisesHolder) kept.holder++;
              return this.#handle(owner, kept);
            }),
        ),
      writers: async () => this.#kept.map(rowOf),
      read: (writer, from, to) => this.#read(writer, from, to),
      waiting: async () => new Map(),
      contents: async () => this.#kept.flatMap(contentsOf),
      forget: () => Promise.reject(new Error('nothing is forgotten here')),
      remove: () => Promise.reject(new Error('nothing is removed here')),
      close: async () => {},
    };
  }

  /** Decided entries of shipped cuts, as a run reads them. */
  shipped(covers: (writer: number, cut: number) => boolean): readonly LogEntry[] {
    return this.#kept.flatMap(({ number, entries, voids }) =>
      entries.filter(({ cut, offset }) => covers(number, cut) && !(voids.get(cut)?.has(offset) ?? false)),
    );
  }

  #isFree({ lock }: Kept): boolean {
    return !this.#rules.locks || lock === undefined || !lock.isAlive;
  }

  async *#read(writer: number, from: number, to: number): AsyncGenerator<LogEntry> {
    const kept = this.#kept[writer - 1];
    for (const entry of kept?.entries ?? []) {
      const isIn = entry.cut >= from && entry.cut <= Math.min(to, kept?.shipped ?? 0);
      if (isIn && !(kept?.voids.get(entry.cut)?.has(entry.offset) ?? false)) yield entry;
    }
  }

  #handle(owner: Owner, kept: Kept): LogWriter {
    const { holder } = kept;
    const disk = {};
    /** The cut that entries of later calls are in. */
    let called = kept.cut;
    const step = <T>(what: string, work: () => T, channel?: object): Promise<T> =>
      this.#steps.wait(
        owner,
        what,
        () => {
          if (kept.holder !== holder) throw new HeadraceError('HR_CONFLICT', 'another holds the log');
          return work();
        },
        channel,
      );
    return {
      writer: kept.number,
      token: `t${kept.number}`,
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
            return cut;
          },
          disk,
        );
      },
      seal: (cut, voids) => step('seal', () => void kept.voids.set(cut, new Set(voids)), disk),
      ship: () =>
        step('ship', () => {
          while (kept.voids.has(kept.shipped + 1)) kept.shipped++;
          return kept.shipped;
        }),
      cuts: async () => [...kept.views].map(([cut, view]): CutRecord => ({ cut, view, voids: kept.voids.get(cut) })),
      entries: (from, to) => entriesOf(kept, from, to),
      touch: async () => {},
      finish: () => step('finish', () => void (kept.state = 'ended')),
      end: () =>
        step('end', () => {
          kept.state = 'ended';
          kept.isGone = true;
          kept.lock = undefined;
        }),
      close: async () => {
        if (kept.lock === owner) kept.lock = undefined;
      },
    };
  }
}

async function* entriesOf({ entries }: Kept, from: number, to: number): AsyncGenerator<LogEntry> {
  for (const entry of entries) if (entry.cut >= from && entry.cut <= to) yield entry;
}

function contentsOf({ number, shipped, entries }: Kept): readonly CutContents[] {
  const cuts = Map.groupBy(
    entries.filter(({ cut }) => cut <= shipped),
    ({ cut }) => cut,
  );
  return [...cuts].map(([cut, own]) => {
    const rows = new Map([['events', own.reduce((sum, { count }) => sum + count, 0)]]);
    return { writer: number, cut, rows, shippedMicros: 0 };
  });
}

function rowOf({ number, machine, holder, state, cut, shipped, rows }: Kept): WriterRow {
  return {
    number,
    token: `t${number}`,
    machine,
    holder,
    state,
    cut,
    shipped,
    removed: 0,
    logged: rows,
    registeredMicros: 0,
    seenMicros: 0,
    place: null,
  };
}
