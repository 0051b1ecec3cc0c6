import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Admission, type Admitted, admitWorkers } from '../../src/app/admit-workers.ts';
import type { Logger } from '../../src/core/index.ts';

const LIMIT_MS = 30_000;
let listening: number[];
let told: string[];
let admission: Admission;
const worker = (pid: number): Admitted => ({ pid, listen: () => void listening.push(pid) });
const [one, two, three] = [worker(1), worker(2), worker(3)];

beforeEach(() => {
  vi.useFakeTimers();
  [listening, told] = [[], []];
  const tell = (fields: object, message: string): void => void told.push(`${JSON.stringify(fields)} ${message}`);
  const logger: Logger = { debug: tell, info: tell, warn: tell, error: tell };
  admission = admitWorkers({ limitMs: LIMIT_MS, logger });
});
afterEach(() => {
  vi.useRealTimers();
});

const first = (added: Admitted, isReady: boolean): void => admission.up(added, { isReady, isReplacement: false });
const again = (added: Admitted, isReady: boolean): void => admission.up(added, { isReady, isReplacement: true });

describe('a worker of the first start', () => {
  it('listens at once, ready or not', () => {
    first(one, true);
    first(two, false);
    expect(listening).toEqual([1, 2]);
  });
});

describe('a worker in place of another', () => {
  it('listens at once when it is ready', () => {
    first(one, true);
    again(two, true);
    expect(listening).toEqual([1, 2]);
  });

  it('listens at once when no other that listens is ready', () => {
    first(one, false);
    again(two, false);
    again(three, false);
    expect(listening).toEqual([1, 2, 3]);
  });

  it('waits beside a ready one until it is ready', () => {
    first(one, true);
    again(two, false);
    admission.reported(two, false);
    expect(listening).toEqual([1]);
    admission.reported(two, true);
    expect(listening).toEqual([1, 2]);
    admission.reported(two, true);
    vi.advanceTimersByTime(LIMIT_MS * 2);
    expect(listening).toEqual([1, 2]);
    expect(told).toEqual([]);
  });

  it('waits no longer when the ready one is not ready any more, or has gone', () => {
    first(one, true);
    first(two, true);
    again(three, false);
    admission.reported(one, false);
    expect(listening).toEqual([1, 2]);
    admission.left(two);
    expect(listening).toEqual([1, 2, 3]);
  });

  it('waits for one that waits itself only once that listens', () => {
    first(one, true);
    again(two, false);
    again(three, false);
    admission.left(one);
    // None of them is ready: both.
    expect(listening).toEqual([1, 2, 3]);
  });

  it('listens when it has waited long enough, which is told', () => {
    first(one, true);
    again(two, false);
    vi.advanceTimersByTime(LIMIT_MS - 1);
    expect(listening).toEqual([1]);
    vi.advanceTimersByTime(1);
    expect(listening).toEqual([1, 2]);
    expect(told).toEqual([expect.stringMatching(/^\{"pid":2,"limitMs":30000\} .*not ready in time/)]);
  });

  it('that ends while it waits is not told to listen', () => {
    first(one, true);
    again(two, false);
    admission.left(two);
    admission.reported(two, true);
    vi.advanceTimersByTime(LIMIT_MS);
    expect(listening).toEqual([1]);
  });
});
