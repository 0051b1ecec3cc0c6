// The registry that all processes of a history share: its own database, each of whose calls is a step of the process that
// makes it, and the first cuts of view versions.

import type { FirstCutTable } from '../../src/ingestion/ingestion-deps.ts';
import { openRecordDirectory, openRowSchemas, openRuns, type Runs } from '../../src/online/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import type { Owner, Steps } from './steps.ts';

const RUN_TABLES = [
  'online_runs',
  'online_run_answers',
  'online_run_sequence',
  'online_run_files',
  'online_run_snapshots',
] as const;
export type RunTables = Record<(typeof RUN_TABLES)[number], Record<string, unknown>[]>;

export class FakeRegistry {
  readonly runs: Runs;
  readonly schemas: Awaited<ReturnType<typeof openRowSchemas>>;
  readonly directory: Awaited<ReturnType<typeof openRecordDirectory>>;
  readonly #database: Database;
  /** Version → writer → its first cut that folds into the version. */
  readonly #firstCuts = new Map<string, Map<number, number>>();

  private constructor(opened: Pick<FakeRegistry, 'runs' | 'schemas' | 'directory'>, database: Database) {
    this.runs = opened.runs;
    this.schemas = opened.schemas;
    this.directory = opened.directory;
    this.#database = database;
  }

  static async open(): Promise<FakeRegistry> {
    const database = await openDatabase('sqlite::memory:');
    const runs = await openRuns(database);
    const schemas = await openRowSchemas(database);
    return new FakeRegistry({ runs, schemas, directory: await openRecordDirectory(runs, schemas) }, database);
  }

  /** All that it has of runs, to go back to. */
  async backup(): Promise<RunTables> {
    const db = this.#database.tables<RunTables>();
    const found: Partial<RunTables> = {};
    for (const name of RUN_TABLES) found[name] = await db.selectFrom(name).selectAll().execute();
    // Each of the tables is in it now.
    return found as RunTables;
  }

  /** The greatest number that it has given to a run. */
  async lastRun(): Promise<number> {
    const { online_run_sequence: sequence } = await this.backup();
    return Number(sequence[0]?.['last'] ?? 0);
  }

  /** It has lost its last commits. */
  async goBack(to: RunTables): Promise<void> {
    const db = this.#database.tables<RunTables>();
    for (const name of RUN_TABLES) {
      await db.deleteFrom(name).execute();
      if (to[name].length > 0) await db.insertInto(name).values(to[name]).execute();
    }
  }

  /** A process's own way to the runs. */
  runsOf(owner: Owner, steps: Steps): Runs {
    return new Proxy(this.runs, {
      get: (target, name) => {
        const call: unknown = Reflect.get(target, name);
        if (typeof call !== 'function') return call;
        return async (...given: unknown[]) => {
          await steps.wait(owner, `registry: ${String(name)}`, () => {});
          // One of its own methods, with what it was called with.
          return (call as (...all: unknown[]) => unknown)(...given);
        };
      },
    });
  }

  /** A writer's way to the first cuts. */
  firstCutsOf(owner: Owner, steps: Steps): FirstCutTable {
    return {
      noteFirstCuts: (writer, cut, versions) =>
        steps.wait(owner, 'registry: note first cuts', () => {
          for (const { version } of versions) {
            const cuts = this.#firstCuts.get(version) ?? new Map<number, number>();
            this.#firstCuts.set(version, cuts);
            if (!cuts.has(writer)) cuts.set(writer, cut);
          }
        }),
    };
  }

  firstCuts(version: string): ReadonlyMap<number, number> {
    return this.#firstCuts.get(version) ?? new Map();
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}
