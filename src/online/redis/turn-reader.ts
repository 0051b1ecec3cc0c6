// Reads of one turn of the event loop, of all requests, as one: an entity key is asked once however many want it, all of
// them go out in one write a node, and what goes wrong with one key fails no read that did not ask for it.

import type { EncodedKey } from '../../core/index.ts';
import type { RecordRef, StoredRecord } from '../online-store.ts';
import { type Commands, execute } from './cluster/execute.ts';
import type { NodeLinks } from './cluster/node-links.ts';
import { createHashTable, type HashTable } from './hash-table.ts';
import { HGETALL, readHash } from './read-records.ts';
import { baseField, type RecordKeys } from './record-keys.ts';

type Records = readonly (StoredRecord | undefined)[];

export interface TurnReader {
  /** Reads in the refs' order. Rejects with what `failureOf` makes of the failure of the first key that failed. */
  read(refs: readonly RecordRef[]): Promise<Records>;
}

/** One hash and what is wanted of it: versions by the names of their bases' fields, each once. */
interface Asked {
  readonly entity: string;
  readonly key: EncodedKey;
  readonly names: Buffer[];
  /** By name; filled by the reply. */
  readonly records: (StoredRecord | undefined)[];
  /** Each read that wants any of it, once. */
  readonly readers: Reading[];
  isDone: boolean;
}

interface Reading {
  /** By ref. */
  readonly asked: Asked[];
  readonly names: Int32Array;
  /** How many hashes have not been answered. */
  left: number;
  failure: unknown;
  readonly resolve: (records: Records) => void;
  readonly reject: (failure: unknown) => void;
}

interface Turn {
  readonly hashes: Asked[];
  readonly table: HashTable;
}

const NOTHING: Records = [];

export function createTurnReader(
  links: NodeLinks,
  keys: RecordKeys,
  failureOf: (failure: unknown) => unknown,
): TurnReader {
  const table = createHashTable();
  let turn: Turn | undefined;

  const beginTurn = (): Turn => {
    setImmediate(endTurn);
    table.clear();
    return { hashes: [], table };
  };

  const endTurn = (): void => {
    const { hashes } = turn as Turn;
    turn = undefined;
    const commands: Commands = {
      count: hashes.length,
      isTurnOver: true,
      slot(index) {
        const { entity, key } = hashes[index] as Asked;
        return keys.slotOf(entity, key);
      },
      encode(out, index) {
        const { entity, key } = hashes[index] as Asked;
        out.raw(HGETALL);
        keys.writeKey(out, entity, key);
      },
      onReply(index, bytes, start) {
        const asked = hashes[index] as Asked;
        if (asked.isDone) return;
        try {
          readHash(bytes, start, asked.names, asked.records);
        } catch (failure) {
          settle(asked, failure);
          return;
        }
        settle(asked, undefined);
      },
      onFailure: (index, failure) => settle(hashes[index] as Asked, failure),
    };
    execute(links, commands).catch((failure: unknown) => {
      for (const asked of hashes) settle(asked, failure);
    });
  };

  const settle = (asked: Asked, failure: unknown): void => {
    if (asked.isDone) return;
    asked.isDone = true;
    for (const reading of asked.readers) {
      if (failure !== undefined) reading.failure ??= failure;
      if (--reading.left > 0) continue;
      if (reading.failure === undefined) reading.resolve(recordsOf(reading));
      else reading.reject(failureOf(reading.failure));
    }
  };

  const find = ({ hashes, table: places }: Turn, entity: string, key: EncodedKey): Asked => {
    const at = places.place(key, hashes.length, (other) => {
      const asked = hashes[other] as Asked;
      return asked.entity === entity && sameBytes(asked.key, key);
    });
    let asked = hashes[at];
    if (asked === undefined) {
      asked = { entity, key, names: [], records: [], readers: [], isDone: false };
      hashes.push(asked);
    }
    return asked;
  };

  const ask = (current: Turn, refs: readonly RecordRef[], reading: Reading): void => {
    let last: Asked | undefined;
    for (let i = 0; i < refs.length; i++) {
      const { entity, key, version } = refs[i] as RecordRef;
      // A key's views mostly follow each other, with the key as one object.
      if (last === undefined || last.key !== key || last.entity !== entity) {
        last = find(current, entity, key);
        // This read is the last that asked, if it asked for the key before.
        if (last.readers.at(-1) !== reading) {
          last.readers.push(reading);
          reading.left++;
        }
      }
      const { name } = baseField(version);
      let at = last.names.indexOf(name);
      if (at < 0) {
        at = last.names.push(name) - 1;
        last.records.push(undefined);
      }
      reading.asked.push(last);
      reading.names[i] = at;
    }
  };

  return {
    read(refs) {
      if (refs.length === 0) return Promise.resolve(NOTHING);
      return new Promise((resolve, reject) => {
        turn ??= beginTurn();
        const names = new Int32Array(refs.length);
        ask(turn, refs, { asked: [], names, left: 0, failure: undefined, resolve, reject });
      });
    },
  };
}

function recordsOf({ asked, names }: Reading): Records {
  const records = new Array<StoredRecord | undefined>(asked.length);
  for (let i = 0; i < asked.length; i++) records[i] = (asked[i] as Asked).records[names[i] as number];
  return records;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  // From the end, where keys of one kind differ.
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return false;
  return true;
}
