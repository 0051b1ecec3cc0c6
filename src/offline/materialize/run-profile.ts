// The profile of a run: of a sample of the keys that it writes, read from their bases by what reads them online.

import { type EncodedKey, HeadraceError, type Value } from '../../core/index.ts';
import { createRecordReader, type OpenedRow, type RecordDirectory, type ViewCodec } from '../../online/index.ts';
import { addValue, createColumnSketch, type Profile } from '../../profiles/index.ts';
import type { PackedBase } from './packed-base.ts';

export interface RunProfile {
  /** Of one pass over the keys, each once. */
  see(bases: readonly PackedBase[]): void;
  /** A pass begins. */
  reset(): void;
  /** Of at most 10,000 keys, picked by their hashes: the same keys of the same facts, whatever their order. */
  profile(): Profile;
}

/** Quantiles of so many are within half a percent in rank. */
const MOST_SAMPLED = 10_000;

export function createRunProfile(codec: ViewCodec, run: Pick<OpenedRow, 'coverage' | 'boundary' | 'asOf'>): RunProfile {
  const { view } = codec;
  const reader = createRecordReader(codec, directoryOf(codec, run));
  let sample: { readonly hash: number; readonly values: readonly Value[] }[] = [];
  let mask = 0;
  let keys = 0;

  const valuesOf = (base: Uint8Array): readonly Value[] | undefined => {
    try {
      return reader.read({ base, parts: [] }, run.asOf)?.values;
    } catch (error) {
      // Whoever reads the key is told.
      if (error instanceof HeadraceError && error.code === 'HR_INTEGER_OVERFLOW') return undefined;
      throw error;
    }
  };

  return {
    reset() {
      sample = [];
      mask = keys = 0;
    },
    see(bases) {
      keys += bases.length;
      for (const { key, base } of bases) {
        const hash = hashOf(key);
        if ((hash & mask) !== 0) continue;
        const values = valuesOf(base);
        if (values === undefined) continue;
        sample.push({ hash, values });
        while (sample.length > MOST_SAMPLED) {
          mask = (mask << 1) | 1;
          sample = sample.filter((one) => (one.hash & mask) === 0);
        }
      }
    },
    profile() {
      const columns = view.features.map(({ name, type }, place) => {
        const sketch = createColumnSketch(type);
        for (const { values } of sample) addValue(sketch, values[place] ?? null);
        return [name, sketch] as const;
      });
      return { rows: keys, sampled: sample.length, columns: new Map(columns) };
    },
  };
}

/** Bases are read by the very run that packs them. */
function directoryOf(
  { rowCodec, eventCodec }: ViewCodec,
  run: Pick<OpenedRow, 'coverage' | 'boundary' | 'asOf'>,
): RecordDirectory {
  const codecs = new Map([rowCodec, eventCodec].map((codec) => [codec.schema.fingerprint, codec]));
  return {
    run: () => run,
    schema: (fingerprint) => codecs.get(fingerprint) ?? null,
    load: async () => {},
    lastFinished: () => run,
    refresh: async () => {},
  };
}

/** FNV-1a, then mixed: the low bits decide who is sampled, and keys that count on must not be picked by their last digit. */
function hashOf(key: EncodedKey): number {
  const bytes: Uint8Array = key;
  let hash = 0x811c9dc5;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
