// The clients' and the files' side of a history: events, the pushes that bring them, and the files that have them. It knows
// nothing of logs, parts or runs: what a read must count is told from here.

import { MICROS_PER_HOUR, type Row } from '../../src/core/index.ts';
import type { SnapshotFile } from '../../src/online/runs/run-row.ts';
import type { Random } from '../support/chance.ts';
import { type Key, KEYS, type Mode, NOW } from './definitions.ts';

/** Each event of a key adds its own power of it, so that a sum shows how often each counts. */
export const DIGIT = 4;
/** What an exact whole number of a double holds of such digits. */
const MOST_EVENTS = 25;
const FIRST_EVENT = NOW - 2 * MICROS_PER_HOUR;
const MICROS_PER_STEP = 1_000_000;
const MOST_TRIES = 6;

export interface Event {
  readonly key: Key;
  /** Its digit of the key's sum. */
  readonly digit: number;
  /** In steps. */
  readonly time: number;
  /** A push has it, or had it. */
  isPushed: boolean;
  isAcknowledged: boolean;
}

export interface Request {
  readonly event: Event;
  readonly idempotencyKey: string | undefined;
  /** One that came before with the same key and another row. */
  readonly before: Request | undefined;
  /** Its client sends it again only when all is at rest. */
  readonly isPatient: boolean;
  tries: number;
  /** Sends that are not answered yet by a process that lives. */
  readonly underWay: Set<{ readonly isAlive: boolean }>;
  /** The claim of its key was forgotten: its client sends it no more, and the key may come with another row. */
  isExpired: boolean;
}

export const microsOf = ({ time }: Pick<Event, 'time'>): number => FIRST_EVENT + time * MICROS_PER_STEP;

export class Facts {
  readonly mode: Mode;
  /** The share of pushes that have a key. */
  readonly #keyed: number;
  readonly requests: Request[] = [];
  readonly #random: Random;
  readonly #events = new Map<Key, Event[]>(KEYS.map((key) => [key, []]));
  /** Of `keep`: events that only files have. */
  #filed = new Set<Event>();
  #gone: readonly Event[] = [];
  /** Of `until-materialized`: up to which time the files reach, and ever reached. */
  #end = 0;
  #furthestEnd = 0;
  #lastTime = 0;

  constructor(random: Random, mode: Mode) {
    this.#random = random;
    this.mode = mode;
    this.#keyed = random.pick([0.2, 0.6, 0.9]);
  }

  ofKey(key: Key): readonly Event[] {
    return this.#events.get(key) as Event[];
  }

  get all(): readonly Event[] {
    return KEYS.flatMap((key) => this.ofKey(key));
  }

  /** Those of the files as they are now, a file each. */
  filed(): ReadonlySet<Event> {
    if (this.mode === 'keep') return new Set(this.#filed);
    return new Set(this.all.filter(({ time }) => time <= this.#end));
  }

  /** Up to which the files hold all: the boundary that a run would like. */
  proposed(): number {
    if (this.mode === 'keep' || this.filed().size === 0) return -Infinity;
    return microsOf({ time: this.#end - this.#random.pick([0, 0, 2, 4]) });
  }

  /** Files come, go, and come back. */
  changeFiles(): void {
    const random = this.#random;
    if (this.mode === 'until-materialized') this.#moveEnd();
    else if (this.#filed.size > 0 && random.chance(0.2)) {
      const all = [...this.#filed];
      this.#filed = new Set(random.sample(all, Math.floor(all.length / 2)));
      this.#gone = all.filter((event) => !this.#filed.has(event));
    } else if (random.chance(0.25)) this.#filed = new Set([...this.#filed, ...this.#gone]);
    else {
      const event = this.#add();
      if (event !== undefined) this.#filed.add(event);
    }
  }

  #moveEnd(): void {
    const random = this.#random;
    if (random.chance(0.15) && this.#end > 3) {
      this.#end -= random.between(1, 4);
      return;
    }
    if (random.chance(0.5)) this.#add();
    // Up to a while ago.
    const times = this.all.map(({ time }) => time).toSorted((a, b) => a - b);
    const reached = times.length > 2 ? times.slice(-6, -2) : [];
    this.#end = Math.max(this.#end, ...reached);
    this.#furthestEnd = Math.max(this.#furthestEnd, this.#end);
  }

  /** A push to send: one of before again, or a new one. */
  nextRequest(): Request | undefined {
    const repeatable = this.requests.filter(
      ({ idempotencyKey, event, tries, isExpired, isPatient }) =>
        idempotencyKey !== undefined && !isExpired && !isPatient && !event.isAcknowledged && tries < MOST_TRIES,
    );
    return repeatable.length > 0 && this.#random.chance(0.4) ? this.#random.pick(repeatable) : this.#newRequest();
  }

  #newRequest(): Request | undefined {
    const event = this.#unpushed() ?? this.#add();
    if (event === undefined) return undefined;
    event.isPushed = true;
    const before = this.#reused();
    const idempotencyKey =
      before?.idempotencyKey ?? (this.#random.chance(this.#keyed) ? `K${this.requests.length}` : undefined);
    const isPatient = this.#random.chance(0.3);
    const request: Request = {
      event,
      idempotencyKey,
      before,
      isPatient,
      tries: 0,
      underWay: new Set(),
      isExpired: false,
    };
    this.requests.push(request);
    return request;
  }

  /** The files may come to have it before its push does. */
  #unpushed(): Event | undefined {
    if (this.mode === 'keep' || this.#random.chance(0.5)) return undefined;
    const found = this.all.filter(({ isPushed }) => !isPushed);
    return found.length === 0 ? undefined : this.#random.pick(found);
  }

  /** Some keys come again with another row: refused while their claim is kept, and new after it. */
  #reused(): Request | undefined {
    if (!this.#random.chance(0.15)) return undefined;
    const taken = new Set(this.requests.map(({ before }) => before));
    const done = this.requests.filter(
      (one) => one.idempotencyKey !== undefined && one.event.isAcknowledged && !taken.has(one),
    );
    return done.length === 0 ? undefined : this.#random.pick(done);
  }

  #add(): Event | undefined {
    const random = this.#random;
    const key = random.pick(KEYS);
    const events = this.#events.get(key) as Event[];
    if (events.length >= MOST_EVENTS) return undefined;
    this.#lastTime++;
    const time =
      this.mode === 'keep'
        ? this.#lastTime + random.pick([0, 0, 1, 2])
        : // What the files ever reached is pushed no more.
          Math.max(this.#lastTime, this.#furthestEnd + 1) + random.pick([0, 0, 3]);
    const event = { key, digit: events.length, time, isPushed: false, isAcknowledged: false };
    events.push(event);
    return event;
  }
}

export const fileOf = ({ key, digit }: Event): SnapshotFile => ({ path: `${key} ${digit}`, size: 1, etag: '' });

/** Known when it happened. */
export function rowOf(event: Event): Row {
  const { key, digit } = event;
  const happened = microsOf(event);
  return { k: key, happened, known: happened, gone: false, x: null, n: BigInt(DIGIT ** digit), s: null };
}

/** As a client sends it; where it states no known time, it is known when it arrives. */
export function jsonOf(event: Event, isKnownStated: boolean): Record<string, unknown> {
  const at = new Date(microsOf(event) / 1000).toISOString();
  return { ...rowOf(event), n: DIGIT ** event.digit, happened: at, known: isKnownStated ? at : null };
}
