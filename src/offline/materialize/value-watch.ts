// A view's values held to what is expected of them while they are packed: those that a reader at the run's time would get,
// taken before they are bytes, a column at a time where a view has `latest` features alone.

import type { Aggregator, TileState } from '../../aggregation/index.ts';
import { compileValueChecks, type Finding, suchAs, type ValueCheck } from '../../checks/index.ts';
import { HeadraceError, type Micros, toJson, type Value } from '../../core/index.ts';
import type { LatestRow, ViewCodec } from '../../online/index.ts';
import type { LatestRows } from './base-packer.ts';

export interface ValueWatch {
  /** Keys of which each has one of these rows, and no windows. */
  ofRows(rows: LatestRows): void;
  /** A key: its winner's row, where it has one, and its tiles, where it has facts. */
  ofKey(row: LatestRow | null, tiles: TileState | null): void;
  /** A pass over the keys begins. */
  reset(): void;
  /** Of the last pass. */
  findings(): Finding[];
}

export function valueChecksOf({ view }: ViewCodec): ValueCheck[] {
  return compileValueChecks(view.features, view.expect);
}

/** Undefined where nothing is to be looked at. */
export function createValueWatch(
  codec: ViewCodec,
  asOf: Micros,
  checks: readonly ValueCheck[],
): ValueWatch | undefined {
  if (checks.length === 0) return undefined;
  const { view, aggregator } = codec;
  const empty = aggregator?.create() ?? [];
  const oldest = view.ttlMicros === null ? -Infinity : asOf - view.ttlMicros;
  const looks = checks.map((check) => {
    const place = view.features.findIndex(({ name }) => name === check.column);
    // The manifest was validated: the feature is there.
    const { aggregation } = view.features[place] as (typeof view.features)[number];
    const column = aggregation.op === 'latest' ? codec.latestColumns.indexOf(aggregation.column) : -1;
    return {
      check,
      column,
      window: aggregator?.features.indexOf(place) ?? -1,
      failed: 0,
      least: null as string | null,
    };
  });
  type Look = (typeof looks)[number];

  const note = (look: Look, value: Value): void => {
    if (!look.check.isBroken(value)) return;
    look.failed++;
    if (value === null) return;
    // The least as text, whatever the order of keys.
    const text = String(toJson(look.check.type, value)).slice(0, 60);
    if (look.least === null || text < look.least) look.least = text;
  };

  const windowValue = (window: number, tiles: TileState | null): Value | undefined => {
    try {
      return (aggregator as Aggregator).value(tiles ?? empty, window, asOf);
    } catch (error) {
      // Whoever reads the key is told.
      if (error instanceof HeadraceError && error.code === 'HR_INTEGER_OVERFLOW') return undefined;
      throw error;
    }
  };

  return {
    ofRows(rows) {
      for (const look of looks) {
        const values = rows.columns[look.column];
        for (let row = 0; row < rows.size; row++) {
          const isThere = (rows.eventMicros[row] as number) >= oldest && !rows.isDeleted(row);
          note(look, isThere && values !== undefined ? values.read(row) : null);
        }
      }
    },
    ofKey(row, tiles) {
      const values = row !== null && row.deleted !== true && row.eventMicros >= oldest ? row.values : undefined;
      for (const look of looks) {
        const value = look.column >= 0 ? (values?.[look.column] ?? null) : windowValue(look.window, tiles);
        if (value !== undefined) note(look, value);
      }
    },
    reset() {
      for (const look of looks) Object.assign(look, { failed: 0, least: null });
    },
    findings: () =>
      looks.map(({ check: { rule, onFail }, failed, least }): Finding => {
        return { of: `view "${view.name}"`, rule, onFail, failed, found: suchAs(least) };
      }),
  };
}
