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

/** What the last finished run of a view took in, beside its watermark. */
export interface Reach {
  /** The arrival up to which kept pushes were read; Infinity for sources that keep none. */
  readonly through: Micros;
  /** Of what the records were computed by: under another one every record must be computed anew. */
  readonly fingerprint: string;
}

/** Undefined until a run of the view has finished. */
export async function getReach(store: OnlineStore, view: string): Promise<Reach | undefined> {
  const text = await store.getMeta(reachOf(view));
  if (text === undefined) return undefined;
  // setReach wrote it.
  const { through, fingerprint } = JSON.parse(text) as { through: Micros | null; fingerprint: string };
  return { through: through ?? Infinity, fingerprint };
}

/** Resolves once durable. Set it before the watermark: it may tell of more than the watermark, never of less. */
export async function setReach(store: OnlineStore, view: string, { through, fingerprint }: Reach): Promise<void> {
  await store.setMeta(reachOf(view), JSON.stringify({ through: through === Infinity ? null : through, fingerprint }));
}

const reachOf = (view: string): string => `reach/${view}`;
