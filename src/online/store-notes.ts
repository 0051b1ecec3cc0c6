// What an online store keeps of the registry that writes to it, held against that registry: a store of another registry is
// refused, and a registry that lost its last commits gives no number again that the store has seen.

import { HeadraceError, type Logger } from '../core/index.ts';
import type { OnlineStore, StoreNotes } from './online-store.ts';
import type { NewRun, Runs } from './runs/runs.ts';
import type { RunRow } from './runs/run-row.ts';

/** A number that was given before, and what to do where a registry has forgotten that. */
export interface SeenNumber {
  readonly number: number;
  /** `last`: the greatest number that the registry knows. */
  onForgotten(last: number): void;
}

/** A node's note, as it is read and written. */
export type NodeNotes = Omit<StoreNotes, 'registries'> & { readonly registry: string | undefined };

export function joinNotes(notes: readonly NodeNotes[]): StoreNotes {
  const registries = new Set(notes.flatMap(({ registry }) => (registry === undefined ? [] : [registry])));
  const greatest = (of: (notes: NodeNotes) => number) => notes.reduce((most, one) => Math.max(most, of(one)), 0);
  return { registries: [...registries], writer: greatest(({ writer }) => writer), run: greatest(({ run }) => run) };
}

/** `place`: the store, as it may be shown. */
export function otherRegistry(other: string, own: string, place?: string): HeadraceError {
  const store = place === undefined ? 'the online store' : `the online store ${place}`;
  const sentence = `${store} was filled by registry "${other}", and this registry is "${own}". Set online.url to a store of this registry's own; where the other registry is gone for good, \`headrace online adopt\` takes its store over.`;
  return new HeadraceError('HR_OTHER_REGISTRY', sentence);
}

/** Throws HR_OTHER_REGISTRY, and HR_ONLINE_UNAVAILABLE where no node answers. */
export async function readOwnNotes(store: Pick<OnlineStore, 'notes'>, registry: string): Promise<StoreNotes> {
  const notes = await store.notes();
  const other = notes.registries.find((one) => one !== registry);
  if (other !== undefined) throw otherRegistry(other, registry);
  return notes;
}

/**
 * A row that asks, whose number is above each that the store has seen. Throws as `readOwnNotes`: a run whose store is away,
 * or is another registry's, is not begun.
 */
export async function askForRun(
  {
    runs,
    store,
    logger,
  }: {
    readonly runs: Pick<Runs, 'registry' | 'ask'>;
    readonly store: Pick<OnlineStore, 'notes'>;
    readonly logger: Logger;
  },
  run: NewRun,
): Promise<RunRow> {
  const { run: number } = await readOwnNotes(store, await runs.registry());
  return runs.ask(run, { number, onForgotten: (last) => reportForgotten(logger, 'run', number, last) });
}

/**
 * Has the log note which of the writers that the store has seen the registry lost with its last commits. Called after the run
 * has asked: a writer that the store has not seen by now reads the run's boundary before its first cut.
 */
export async function noteLostWriters({ log, runs, store, logger }: LostWritersDeps): Promise<void> {
  const { writer: number } = await readOwnNotes(store, await runs.registry());
  await log?.noteLost({ number, onForgotten: (last) => reportForgotten(logger, 'writer', number, last) });
}

export interface LostWritersDeps {
  readonly log: { noteLost(seen: SeenNumber): Promise<void> } | undefined;
  readonly runs: Pick<Runs, 'registry'>;
  readonly store: Pick<OnlineStore, 'notes'>;
  readonly logger: Logger;
}

export function reportForgotten(logger: Logger, what: 'run' | 'writer', seen: number, last: number): void {
  logger.error(
    { seen, last },
    `the registry has lost commits: the online store has seen ${what} ${seen}, and the last that the registry knows is ${last}. The next ${what} is given number ${seen + 1}${what === 'run' ? '' : LOST_WRITERS}`,
  );
}

const LOST_WRITERS =
  '. Writers between the two add their rows again within seconds; until then no boundary moves. `headrace log forget` is for one that does not';
