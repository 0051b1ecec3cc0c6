// One series of a server: the minute that is counted into, those that ended and wait to be written, and which units it has met.
// Counting looks nothing up, and asks for no time: that is read once a request (`MinuteTime`).

import { floorTo, type Micros, MICROS_PER_MINUTE } from '../../core/index.ts';
import type { FailureKind } from '../monitor/failure-kind.ts';
import { addLatency } from '../monitor/latency-sketch.ts';
import { createKnownUnits, type KnownBudget, type KnownUnits } from './known-units.ts';
import {
  addOutcome,
  addUnit,
  clearMinuteCell,
  createMinuteCell,
  type MinuteCell,
  type PackedMinute,
  packMinute,
  type UnitKind,
} from './minute-cell.ts';
import type { SeriesId } from './minute-row.ts';

/** What all series of a server share. */
export interface MinuteTime {
  nowMicros: Micros;
  /** The latest minute that anything was counted in since the clock was last set back. */
  latest: Micros;
  /** What units that were met may take of memory. */
  readonly known: KnownBudget;
  /** How often it was set back over a minute's start. */
  turn: number;
  /** A series that has something to take, having had nothing. */
  changed(series: Series): void;
}

export interface Series {
  readonly id: SeriesId;
  /** Whether units are kept: only where there is something to compare. */
  hasUnits: boolean;
  /** What its rows are slow past; null where nothing says. */
  slowMicros: number | null;
  /** A request, once all its rows here are counted. */
  answered(latencyMicros: number, rows: number): void;
  /** A row of an answered request; `unitHash` is 0 for a row of no unit. */
  row(latencyMicros: number, hasNull: boolean, unitHash: number): void;
  failed(kind: FailureKind, unitHash: number): void;
  /** A unit that was met, though nothing of its row counts. */
  met(unitHash: number): void;
  breakerOpened(): void;
  /** Undefined: none any more. `before`: what it counts in place of. */
  outcome(unitHash: number, value: number | undefined, before?: number): void;
  /** What changed since it was last taken, as whole rows. */
  take(): readonly PackedMinute[];
  /** When it counted last. */
  minute(): Micros;
  /** Forgets which units it has met: they are told again. */
  rest(): void;
}

export function createSeries(id: SeriesId, time: MinuteTime): Series {
  const known: Partial<Record<UnitKind, KnownUnits>> = {};
  /** Of minutes that ended, and were not taken yet. */
  let ended: MinuteCell[] = [];
  let spare: MinuteCell | undefined;
  let current = createMinuteCell();
  let isTold = false;

  const now = (): MinuteCell => {
    const since = time.nowMicros - current.minute;
    if (!(since >= 0 && since < MICROS_PER_MINUTE && current.turn === time.turn)) turnTo(time.nowMicros);
    current.isDirty = true;
    if (!isTold) {
      isTold = true;
      time.changed(series);
    }
    return current;
  };
  const turnTo = (nowMicros: Micros): void => {
    const minute = floorTo(nowMicros, MICROS_PER_MINUTE);
    if (minute < time.latest) time.turn++;
    time.latest = minute;
    if (current.isDirty) {
      ended.push(current);
      current = spare ?? createMinuteCell();
      spare = undefined;
    }
    clearMinuteCell(current, minute, time.turn);
  };
  const unit = (cell: MinuteCell, kind: UnitKind, hash: number): void => {
    if (hash === 0 || !series.hasUnits) return;
    known[kind] ??= createKnownUnits(time.known);
    if (!known[kind].met(hash)) addUnit(cell, kind, hash);
  };

  const series: Series = {
    id,
    hasUnits: false,
    slowMicros: null,
    answered(latencyMicros, rows) {
      const cell = now();
      cell.requests++;
      cell.rows += rows;
      addLatency(cell.latency, Math.round(latencyMicros));
    },
    row(latencyMicros, hasNull, unitHash) {
      const cell = now();
      unit(cell, 'units', unitHash);
      if (series.slowMicros !== null) {
        cell.slowMicros = series.slowMicros;
        if (latencyMicros > series.slowMicros) {
          cell.slow++;
          unit(cell, 'slowUnits', unitHash);
        }
      }
      if (hasNull) {
        cell.nulls++;
        unit(cell, 'nullUnits', unitHash);
      }
    },
    failed(kind, unitHash) {
      const cell = now();
      unit(cell, 'units', unitHash);
      if (kind === 'refused') cell.refused++;
      else if (kind === 'rejected') cell.rejected++;
      else {
        cell.errors++;
        unit(cell, 'errorUnits', unitHash);
      }
    },
    met: (unitHash) => unit(now(), 'units', unitHash),
    breakerOpened() {
      now().breakerOpens++;
    },
    outcome(unitHash, value, before) {
      const cell = now();
      if (before !== undefined) addOutcome(cell, unitHash, before, -1);
      if (value === undefined) return;
      addOutcome(cell, unitHash, value, 1);
      if (value !== 0) unit(cell, 'eventUnits', unitHash);
    },
    take() {
      const rows = ended.map((cell) => packMinute(id, cell));
      spare = ended[0] ?? spare;
      ended = [];
      if (current.isDirty) rows.push(packMinute(id, current));
      current.isDirty = false;
      isTold = false;
      return rows;
    },
    minute: () => current.minute,
    rest() {
      for (const met of Object.values(known)) met.clear();
      spare = undefined;
    },
  };
  return series;
}
