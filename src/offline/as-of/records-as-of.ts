// Records as a full run of an earlier time would have written them, of the keys that are asked for: computed from the facts
// by what computes a run's bases, so that reading them is what reading the online store is.

import type { DuckDBConnection } from '@duckdb/node-api';
import { type EncodedKey, floorTo, type Micros } from '../../core/index.ts';
import {
  createViewCodec,
  NOTHING_COVERED,
  type OnlineStore,
  type RecordDirectory,
  type RecordRef,
  type StoredRecord,
  type ViewCodec,
} from '../../online/index.ts';
import type { Facts } from '../facts/facts.ts';
import { warnOfUnconverted } from '../facts/unconverted.ts';
import { computeBases } from '../materialize/compute-bases.ts';
import type { RunScope } from '../materialize/run-scope.ts';
import { dropTables } from '../materialize/work-table.ts';
import type { OfflineDeps } from '../offline-deps.ts';
import type { SourceFacts } from '../facts/current-facts.ts';
import { openSourcesFacts } from '../training-sets/source-facts.ts';
import { makeAskedTable } from './asked-table.ts';

export interface RecordsAsOf {
  readonly store: Pick<OnlineStore, 'read'>;
  /** What those records are read by. */
  readonly directory: RecordDirectory;
}

/**
 * Of facts known by `at`, a scheduled view's as its run of then would have had them. The files and the log are those of now:
 * what a server has not shipped yet is not among them. `read` throws HR_SOURCE_UNREADABLE, HR_SOURCE_CHANGED, and as the log.
 */
export function recordsAsOf(deps: OfflineDeps, at: Micros): RecordsAsOf {
  const codecs = Object.keys(deps.definitions.manifest.views).map((view) =>
    createViewCodec(deps.definitions.manifest, view),
  );
  const asOf = ({ view }: ViewCodec): Micros => {
    const { freshness } = view;
    return freshness.kind === 'scheduled' ? floorTo(at - freshness.lagMicros, freshness.everyMicros) : at;
  };
  // Each version has a run of its own here, by its place.
  const runOf = (codec: ViewCodec) => ({ coverage: NOTHING_COVERED, boundary: -Infinity, asOf: asOf(codec) });
  const rowCodecs = new Map(
    codecs.flatMap(({ rowCodec, eventCodec }) =>
      [rowCodec, eventCodec].map((codec) => [codec.schema.fingerprint, codec] as const),
    ),
  );

  return {
    store: {
      async read(refs) {
        const records = new Map<string, StoredRecord>();
        const asked = codecs.flatMap((codec, place) => {
          const keys = refs.filter(({ version }) => version === codec.version).map(({ key }) => key);
          return keys.length === 0 ? [] : [{ codec, run: place + 1, asOf: asOf(codec), keys }];
        });
        await withFacts(deps, asked, async (connection, view, facts) => {
          await computeView({ ...view, duckdb: deps.duckdb, connection, facts }, records);
        });
        return refs.map((ref) => records.get(nameOf(ref)));
      },
    },
    directory: {
      run: (number) => {
        const codec = codecs[number - 1];
        return codec === undefined ? null : runOf(codec);
      },
      schema: (fingerprint) => rowCodecs.get(fingerprint) ?? null,
      load: async () => {},
      lastFinished: (version) => {
        const codec = codecs.find((one) => one.version === version);
        return codec && runOf(codec);
      },
      refresh: async () => {},
    },
  };
}

interface AskedView {
  readonly codec: ViewCodec;
  /** What its bases are to name. */
  readonly run: number;
  readonly asOf: Micros;
  readonly keys: readonly EncodedKey[];
}

/** Views over one source see the same files. */
async function withFacts(
  deps: OfflineDeps,
  asked: readonly AskedView[],
  work: (connection: DuckDBConnection, view: AskedView, facts: Facts) => Promise<void>,
): Promise<void> {
  const connection = await deps.duckdb.connect();
  try {
    const names = [...new Set(asked.map(({ codec }) => codec.source.name))];
    const opened = await openSourcesFacts(connection, names, deps);
    try {
      for (const view of asked) {
        // All their sources were opened.
        await work(connection, view, (opened.bySource.get(view.codec.source.name) as SourceFacts).facts);
      }
      for (const [source, { facts }] of opened.bySource) {
        warnOfUnconverted(deps.logger, { source }, (await facts.log?.unconverted()) ?? {});
      }
      for (const snapshot of opened.snapshots) await snapshot.verify();
    } finally {
      await opened.close();
    }
  } finally {
    connection.closeSync();
  }
}

async function computeView(
  { run, keys, ...view }: AskedView & Pick<RunScope, 'duckdb' | 'connection' | 'facts'>,
  into: Map<string, StoredRecord>,
): Promise<void> {
  const scope: RunScope = { ...view, waits: 'none', finished: undefined };
  const table = await makeAskedTable(scope, keys);
  try {
    const bases = await computeBases(scope, run, {
      table,
      logTable: null,
      hasNewest: false,
      rowsInRange: 0,
      rowsIgnored: 0,
      unconverted: {},
      newestMicros: null,
      hasWaiting: false,
    });
    try {
      await bases.each(async (packed) => {
        for (const { key, base } of packed) into.set(nameOf({ key, version: view.codec.version }), { base, parts: [] });
      });
    } finally {
      await bases.close();
    }
  } finally {
    await dropTables(scope.connection, [table]);
  }
}

const nameOf = ({ key, version }: Pick<RecordRef, 'key' | 'version'>): string =>
  `${version} ${Buffer.from(key).toString('latin1')}`;
