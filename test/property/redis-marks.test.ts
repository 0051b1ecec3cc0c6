// A node's mark against clocks that step: whenever a record is gone that could still be seen, the mark doesn't hold.

import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { beginMark, type MarkPlace, readMark, writeMark } from '../../src/online/redis/marks.ts';
import type { CommandBuffer } from '../../src/online/redis/resp/command-buffer.ts';
import type { Connection } from '../../src/online/redis/resp/connection.ts';

const DAY_MS = 86_400_000;
/** Of a record past the last moment at which its values can be seen. */
const SLACK_DAYS = 2;
const START_MS = Date.UTC(2026, 0, 1);

/** A server as far as marks need it: keys that expire by its own clock. */
class Server {
  readonly #keys = new Map<string, { readonly value: string; readonly endMs: number }>();
  #nowMs = START_MS;

  get nowMs(): number {
    return this.#nowMs;
  }

  set nowMs(nowMs: number) {
    this.#nowMs = nowMs;
    for (const [key, { endMs }] of this.#keys) if (endMs <= nowMs) this.#keys.delete(key);
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  set(key: string, value: string, lifetimeMs = Infinity): void {
    this.#keys.set(key, { value, endMs: this.#nowMs + lifetimeMs });
  }

  answer([command, ...words]: readonly string[]): string {
    const [key = '', value = '', , lifetimeMs] = words;
    const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
    if (command === 'TIME') {
      const micros = (this.#nowMs % 1000) * 1000;
      return `*2\r\n${bulk(String(Math.floor(this.#nowMs / 1000)))}${bulk(String(micros))}`;
    }
    if (command === 'INFO') return bulk(`run_id:1\r\nevicted_keys:0\r\nmaxmemory_policy:noeviction\r\n`);
    if (command === 'GET') return this.has(key) ? bulk(this.#keys.get(key)?.value as string) : '$-1\r\n';
    if (command === 'EXISTS') return `:${this.has(key) ? 1 : 0}\r\n`;
    if (command === 'SET') this.set(key, value, lifetimeMs === undefined ? undefined : Number(lifetimeMs));
    if (command === 'DEL') for (const gone of words) this.#keys.delete(gone);
    return '+OK\r\n';
  }
}

function placeAt(server: Server): MarkPlace {
  const request = async (encode: (out: CommandBuffer) => number, onReply: OnReply): Promise<void> => {
    let words: readonly string[] = [];
    const out = { words: (...given: (string | number)[]) => void (words = given.map(String)) };
    // What marks use of it.
    encode(out as unknown as CommandBuffer);
    onReply(Buffer.from(server.answer(words)), 0, 0);
  };
  // What marks use of it.
  const connection = { isReady: true, request } as unknown as Connection;
  const node = { name: 'redis', host: '', port: 0, firstSlot: 0, slots: '' };
  return { connection, node, project: 'p', version: 'v@1' };
}

type OnReply = (bytes: Buffer, start: number, index: number) => void;

type Step =
  | { readonly kind: 'wait'; readonly days: number }
  /** The server's clock is so far from the true time from here on. */
  | { readonly kind: 'step'; readonly days: number }
  /** An incremental run where the mark holds, else a full one. */
  | { readonly kind: 'run'; readonly changed: readonly number[] };

/** Whole hours. */
const days = (min: number, max: number) => fc.integer({ min: min * 24, max: max * 24 }).map((hours) => hours / 24);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('wait'), days: days(0, 4) }),
  fc.record({ kind: fc.constant('step'), days: fc.oneof(fc.constant(0), days(-14, 14)) }),
  fc.record({ kind: fc.constant('run'), changed: fc.uniqueArray(fc.nat(3)) }),
);

describe('the mark of a node', () => {
  it('does not hold where a record that could be seen has expired by a wrong clock', async () => {
    let [lost, held] = [0, 0];
    await fc
      .assert(
        fc.asyncProperty(fc.array(step, { maxLength: 20 }), days(0, 16), async (steps, visibleDays) => {
          const server = new Server();
          const place = placeAt(server);
          const lifetimeMs = Math.ceil((visibleDays + SLACK_DAYS) * DAY_MS);
          /** By record, the true time of its last write. */
          const written = new Map<number, number>();
          let [trueMs, wrongMs, run] = [START_MS, 0, 0];
          vi.useFakeTimers({ toFake: ['Date', 'performance'] });
          const tick = () => {
            vi.setSystemTime(trueMs);
            server.nowMs = trueMs + wrongMs;
          };
          tick();
          for (const one of [...steps, { kind: 'step', days: 0 } as const]) {
            if (one.kind === 'wait') trueMs += Math.round(one.days * DAY_MS);
            else if (one.kind === 'step') wrongMs = Math.round(one.days * DAY_MS);
            tick();
            if (one.kind === 'run') {
              const holds = (await readMark(place)).run !== undefined;
              const start = await beginMark(place, ++run, lifetimeMs);
              for (const record of holds ? one.changed : [0, 1, 2, 3]) {
                server.set(`record ${record}`, '', lifetimeMs);
                written.set(record, trueMs);
              }
              await writeMark(place, start);
            }
            if (wrongMs !== 0) continue;
            const seen = [...written].filter(([, atMs]) => trueMs < atMs + visibleDays * DAY_MS);
            const isLost = seen.some(([record]) => !server.has(`record ${record}`));
            const holds = (await readMark(place)).run !== undefined;
            expect(isLost && holds).toBe(false);
            if (isLost) lost++;
            else if (holds) held++;
          }
        }),
        { numRuns: 2000 },
      )
      .finally(() => vi.useRealTimers());
    expect(Math.min(lost, held)).toBeGreaterThan(50);
  });
});
