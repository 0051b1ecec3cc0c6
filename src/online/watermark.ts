// A view's watermark: the known time up to which finished materialize runs have covered it. Kept in the store itself,
// so that it can never be ahead of what was written there.

import type { Micros } from '../core/index.ts';
import type { OnlineStore } from './online-store.ts';

const nameOf = (view: string): string => `watermark/${view}`;

/** Undefined when the view was never materialized into this store. */
export async function getWatermark(store: OnlineStore, view: string): Promise<Micros | undefined> {
  const text = await store.getMeta(nameOf(view));
  return text === undefined ? undefined : Number(text);
}

/** Resolves once durable. Call it after the last write of the run was acknowledged. */
export async function setWatermark(store: OnlineStore, view: string, asOf: Micros): Promise<void> {
  await store.setMeta(nameOf(view), String(asOf));
}
