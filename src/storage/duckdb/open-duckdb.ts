// Opens DuckDB as every folder above needs it: UTC, order kept, memory bounded, spilling to a folder of its own.

import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type ExtensionTrouble, loadExtension } from './extensions.ts';
import { makeSpillFolder, type SpillFolder } from './spill-folder.ts';
import { keepWholeTexts } from './whole-texts.ts';

keepWholeTexts();

export interface DuckDbOptions {
  /** Such as `4GB`; DuckDB's default is 80 % of the machine. */
  readonly memory?: string;
  readonly threads?: number;
  /** Sorts and joins spill to a folder of their own in it; made when missing. Any number of processes may share it. */
  readonly tempDirectory: string;
  /** Leaves what dead processes spilled, for whoever tells of it; else it is cleared away here. */
  readonly leaveDead?: boolean;
  /** A database file; in memory by default. */
  readonly path?: string;
  /** A folder of extensions, looked into before DuckDB's own. */
  readonly extensions?: string;
}

export interface DuckDb {
  /** A connection of the caller's own (temporary tables and transactions are per connection): `closeSync()` it. */
  connect(): Promise<DuckDBConnection>;
  /** Loads an extension for every connection, once; why it can't be had, where it can't. */
  extension(name: string): Promise<ExtensionTrouble>;
  /** The same of one that is on this machine: nothing is fetched. */
  installed(name: string): Promise<ExtensionTrouble>;
  close(): Promise<void>;
}

export async function openDuckDb(options: DuckDbOptions): Promise<DuckDb> {
  const spill = await makeSpillFolder(options.tempDirectory, options.leaveDead);
  try {
    return await openIn(spill, options);
  } catch (error) {
    await spill.remove();
    throw error;
  }
}

async function openIn(spill: SpillFolder, options: DuckDbOptions): Promise<DuckDb> {
  const instance = await DuckDBInstance.create(options.path ?? ':memory:', {
    temp_directory: spill.path,
    preserve_insertion_order: 'true',
    // Extensions are loaded from where the user has them, never fetched in the middle of a query.
    autoinstall_known_extensions: 'false',
    ...(options.memory === undefined ? {} : { memory_limit: options.memory }),
    ...(options.threads === undefined ? {} : { threads: String(options.threads) }),
  });
  const first = await instance.connect();
  await first.run("SET GLOBAL TimeZone = 'UTC'");
  first.closeSync();
  const extensions = new Map<string, Promise<ExtensionTrouble>>();
  const load = (name: string, mayInstall: boolean): Promise<ExtensionTrouble> =>
    loadExtension(() => instance.connect(), name, options.extensions, mayInstall);
  return {
    connect: () => instance.connect(),
    extension(name) {
      const loading = extensions.get(name) ?? load(name, true);
      extensions.set(name, loading);
      return loading;
    },
    installed: (name) => load(name, false),
    async close() {
      instance.closeSync();
      await spill.remove();
    },
  };
}
