// Reads of one turn of the event loop, of all requests, as one: an entity key is asked once however many want it, all of
// them go out in one write a node, and what goes wrong with one key fails no read that did not ask for it.

import type { EncodedKey } from '../../core/index.ts';
import type { RecordRef, RecordTaker, StoredRecord, WantedVersion } from '../online-store.ts';
import { type Commands, execute } from './cluster/execute.ts';
import type { NodeLinks } from './cluster/node-links.ts';
import { createHashTable, type HashTable } from './hash-table.ts';
import { type FoundRecords, HGETALL, readHash, recordOf, tellRecord } from './read-records.ts';
import { baseField, type RecordKeys } from './record-keys.ts';

type Records = readonly (StoredRecord | undefined)[];

export interface TurnReader {
  /** Reads in the refs' order. Rejects with what `failureOf` makes of the failure of the first key that failed. */
  read(refs: readonly RecordRef[]): Promise<Records>;
  /** As the store's. Rejects likewise, before anything is told. */
  readRows(wanted: readonly WantedVersion[], rows: Rows, taker: RecordTaker): Promise<void>;
}

type Rows = readonly (readonly (EncodedKey | undefined)[])[];

/** One hash and what is wanted of it: versions by the names of their bases' fields, each once. */
interface Asked {
  readonly entity: string;
  readonly key: EncodedKey;
  names: Buffer[];
  /** Others may have the same list of names: it is never added to. */
  isShared: boolean;
  found: FoundRecords | undefined;
  /** Each read that wants any of it, once. */
  readonly readers: Reading[];
  isDone: boolean;
}

interface Reading {
  /** How many hashes have not been answered. */
  left: number;
  failure: unknown;
  readonly resolve: () => void;
  readonly reject: (failure: unknown) => void;
}

/** Of one place of rows: the name, and where it is among those of its entity. */
interface WantedName {
  readonly entity: string;
  readonly name: Buffer;
  readonly at: number;
  readonly all: Buffer[];
}

interface Turn {
  readonly hashes: Asked[];
  readonly table: HashTable;
}

const NOTHING: Records = [];
const NO_NAMES: Buffer[] = [];

export interface TurnReaderOptions {
  readonly links: NodeLinks;
  readonly keys: RecordKeys;
  failureOf(failure: unknown): unknown;
  /** What has to end well before anything is read; undefined: nothing. */
  waitsFor(): Promise<void> | undefined;
}

export function createTurnReader({ links, keys, failureOf, waitsFor }: TurnReaderOptions): TurnReader {
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
      waitsFor,
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
          asked.found = readHash(bytes, start, asked.names);
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
      if (reading.failure === undefined) reading.resolve();
      else reading.reject(failureOf(reading.failure));
    }
  };

  /** The key's hash, which the read waits for from now on. */
  const join = ({ hashes, table: places }: Turn, entity: string, key: EncodedKey, reading: Reading): Asked => {
    const at = places.place(key, hashes.length, (other) => {
      const asked = hashes[other] as Asked;
      return asked.entity === entity && sameBytes(asked.key, key);
    });
    let asked = hashes[at];
    if (asked === undefined) {
      asked = { entity, key, names: NO_NAMES, isShared: true, found: undefined, readers: [reading], isDone: false };
      hashes.push(asked);
      reading.left++;
    } else if (asked.readers.at(-1) !== reading) {
      // This read is the last that asked, if it asked for the key before.
      asked.readers.push(reading);
      reading.left++;
    }
    return asked;
  };

  /** Resolves once all hashes that `ask` joins are answered. */
  const inTurn = (ask: (current: Turn, reading: Reading) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      turn ??= beginTurn();
      ask(turn, { left: 0, failure: undefined, resolve, reject });
    });

  const compiled = new WeakMap<readonly WantedVersion[], readonly WantedName[]>();
  const namesOf = (wanted: readonly WantedVersion[]): readonly WantedName[] => {
    let names = compiled.get(wanted);
    if (names === undefined) compiled.set(wanted, (names = compileNames(wanted)));
    return names;
  };

  return {
    async read(refs) {
      if (refs.length === 0) return NOTHING;
      const hashes = new Array<Asked>(refs.length);
      const names = new Int32Array(refs.length);
      await inTurn((current, reading) => {
        let last: Asked | undefined;
        for (let i = 0; i < refs.length; i++) {
          const { entity, key, version } = refs[i] as RecordRef;
          // A key's views mostly follow each other, with the key as one object.
          if (last === undefined || last.key !== key || last.entity !== entity)
            last = join(current, entity, key, reading);
          hashes[i] = last;
          names[i] = placeOf(last, baseField(version).name);
        }
      });
      return hashes.map(({ found }, i) => found && recordOf(found, names[i] as number));
    },
    async readRows(wanted, rows, taker) {
      const width = wanted.length;
      if (!rows.some(hasKey)) return;
      const of = namesOf(wanted);
      const hashes = new Array<Asked | undefined>(rows.length * width);
      const names = new Int32Array(hashes.length);
      await inTurn((current, reading) => {
        for (let row = 0, i = 0; row < rows.length; row++) {
          const keys = rows[row] as Rows[number];
          let last: Asked | undefined;
          for (let place = 0; place < width; place++, i++) {
            const key = keys[place];
            if (key === undefined) continue;
            const own = of[place] as WantedName;
            if (last === undefined || last.key !== key || last.entity !== own.entity) {
              last = join(current, own.entity, key, reading);
              if (last.names.length === 0) last.names = own.all;
            }
            hashes[i] = last;
            names[i] = last.names[own.at] === own.name ? own.at : placeOf(last, own.name);
          }
        }
      });
      for (let row = 0, i = 0; row < rows.length; row++) {
        for (let place = 0; place < width; place++, i++) {
          const found = hashes[i]?.found;
          if (found !== undefined) tellRecord(found, names[i] as number, row, place, taker);
        }
      }
    },
  };
}

const isKey = (key: EncodedKey | undefined): boolean => key !== undefined;
const hasKey = (row: Rows[number]): boolean => row.some(isKey);

/** Where the name is among those that are wanted of a hash. */
function placeOf(asked: Asked, name: Buffer): number {
  const at = asked.names.indexOf(name);
  if (at >= 0) return at;
  if (asked.isShared) {
    asked.names = [...asked.names];
    asked.isShared = false;
  }
  return asked.names.push(name) - 1;
}

function compileNames(wanted: readonly WantedVersion[]): readonly WantedName[] {
  const byEntity = new Map<string, Buffer[]>();
  return wanted.map(({ entity, version }) => {
    const { name } = baseField(version);
    let all = byEntity.get(entity);
    if (all === undefined) byEntity.set(entity, (all = []));
    const known = all.indexOf(name);
    return { entity, name, all, at: known < 0 ? all.push(name) - 1 : known };
  });
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  // From the end, where keys of one kind differ.
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return false;
  return true;
}
