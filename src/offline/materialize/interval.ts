// What a run takes in: known times since the last one up to the watermark to be, and arrivals of kept pushes.

import { floorTo, type Micros, MICROS_PER_SECOND } from '../../core/index.ts';
import { getReach, getWatermark, type OnlineStore, type ViewCodec } from '../../online/index.ts';
import type { ScannedSource } from '../sources/scan-source.ts';
import { viewFingerprint } from './view-fingerprint.ts';

export interface Interval {
  /** Known times after this one touch their keys; null touches every key. */
  readonly after: Micros | null;
  /** The watermark to be: known times up to it, inclusive. */
  readonly to: Micros;
  /** Kept pushes that arrived after this one touch their keys too, however early their known time. */
  readonly arrivedAfter: Micros;
  /** Kept pushes that arrived after this one are left to the next run; Infinity for sources that keep none. */
  readonly through: Micros;
}

// A push gets its arrival and its known time a moment before its log is on disk. A source that takes events from the log
// is read up to where that moment has passed, so that none falls between the log as read and the base that is said to
// hold it; it stays pushed meanwhile.
const PUSH_SETTLES_MICROS = MICROS_PER_SECOND;

/** Where a run ends that was not told. */
export function defaultEnd({ view, source }: ViewCodec, now: Micros): Micros {
  const settled = source.pushes === 'keep' ? now - PUSH_SETTLES_MICROS : now;
  return view.freshness.kind === 'scheduled' ? floorTo(settled, view.freshness.everyMicros) : settled;
}

/** From the watermark at the latest, so that no row that came since can be passed over and the watermark may move. */
export async function findInterval(
  { incremental, from }: { readonly incremental: boolean; readonly from?: Micros },
  store: OnlineStore,
  codec: ViewCodec,
  to: Micros,
  now: Micros,
): Promise<Interval> {
  const watermark = await getWatermark(store, codec.view.name);
  const reach = await getReach(store, codec.view.name);
  const arrivedAfter = reach?.through ?? -Infinity;
  // Never less than before, or a clock set back would leave events out that the last run took in.
  const through = codec.source.pushes === 'keep' ? Math.max(now - PUSH_SETTLES_MICROS, finite(arrivedAfter)) : Infinity;
  const isWhole = watermark === undefined || (!incremental && from === undefined);
  if (isWhole || reach?.fingerprint !== viewFingerprint(codec)) return { after: null, to, arrivedAfter, through };
  const after = incremental || from === undefined ? watermark : Math.min(from - 1, watermark);
  return { after, to, arrivedAfter, through };
}

const finite = (micros: Micros): Micros => (Number.isFinite(micros) ? micros : -Infinity);

/** Pushed events that arrived too late for the run are as if they were not there. */
export function upToArrival(scanned: ScannedSource, { through }: Interval): ScannedSource {
  if (through === Infinity) return scanned;
  const relation = `(SELECT * FROM ${scanned.relation} WHERE coalesce(__hr_arrival <= ${through}, true))`;
  return { ...scanned, relation };
}
