// The push log on a real disk: durable, whole batches only, each idempotency key once, shared by processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fixedClock, MICROS_PER_DAY, type Row, systemClock } from '../../src/core/index.ts';
import { exportPushLog, openPushLog, type PushedRow, type PushLog, readPushLog } from '../../src/online/index.ts';
import { numbersSource as source } from '../support/numbers-source.ts';

const NOW = 1_790_000_000_000_000;
const row = (n: number): { row: Row } => ({ row: { n: BigInt(n), text: `row ${n}`, at: n } });

describe('the push log', () => {
  let folder: string;
  const logs: PushLog[] = [];
  const open = (now = NOW): PushLog => {
    const log = openPushLog(folder, { clock: fixedClock(now) });
    logs.push(log);
    return log;
  };
  const contents = async (of = source): Promise<PushedRow[]> => Array.fromAsync(readPushLog(folder, of));
  const numbers = async (): Promise<number[]> => (await contents()).map((pushed) => Number(pushed.row['n']));
  const segments = (): string[] => readdirSync(join(folder, 'numbers')).map((name) => join(folder, 'numbers', name));

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'headrace-push-'));
  });
  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  it('gives back what was appended, with known times and a growing order of arrival', async () => {
    const log = open();
    const exact: Row = { n: 2n ** 62n + 1n, text: 'é"\n', at: 1 };
    const { rows } = await log.append(source, { rows: [{ row: exact }, { row: row(2).row, knownMicros: 5 }] });
    await log.append(source, { rows: [{ row: { n: null, text: null, at: null } }] });
    expect(await contents()).toEqual([
      { knownMicros: NOW, order: NOW, row: exact },
      { knownMicros: 5, order: NOW + 1, row: row(2).row },
      { knownMicros: NOW + 3, order: NOW + 3, row: { n: null, text: null, at: null } },
    ]);
    expect(rows).toHaveLength(2);
  });

  it('keeps the order of arrival growing among batches that are appended at once', async () => {
    const log = open();
    await Promise.all(
      Array.from({ length: 200 }, (_, index) => log.append(source, { rows: [row(index), row(index)] })),
    );
    const orders = (await contents()).map((pushed) => pushed.order);
    expect(new Set(orders).size).toBe(400);
    expect(orders).toEqual([...orders].sort((a, b) => a - b));
  });

  it('answers a repeated idempotency key from the first result, also after a restart', async () => {
    const first = await open().append(source, { rows: [row(1)], idempotencyKey: 'k' });
    const again = await open(NOW + 1000).append(source, { rows: [row(1)], idempotencyKey: 'k' });
    expect(first.isRepeat).toBe(false);
    expect(again).toEqual({ rows: first.rows, isRepeat: true });
    expect(await numbers()).toEqual([1]);
  });

  it('counts one key once when it comes many times at once, from several openings', async () => {
    const [a, b] = [open(), open()];
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 ? a : b).append(source, { rows: [row(7)], idempotencyKey: 'k' }),
      ),
    );
    expect(results.filter((result) => !result.isRepeat)).toHaveLength(1);
    expect(await numbers()).toEqual([7]);
  });

  it('refuses a key that comes again with other rows', async () => {
    const log = open();
    await log.append(source, { rows: [row(1)], idempotencyKey: 'k' });
    await expect(log.append(source, { rows: [row(2)], idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'HR_IDEMPOTENCY',
    });
    await log.append({ ...source, name: 'others' }, { rows: [row(2)], idempotencyKey: 'k' });
    expect(await numbers()).toEqual([1]);
  });

  it('forgets a key after its retention', async () => {
    await open().append(source, { rows: [row(1)], idempotencyKey: 'k' });
    const later = await open(NOW + 2 * MICROS_PER_DAY).append(source, { rows: [row(2)], idempotencyKey: 'k' });
    expect(later.isRepeat).toBe(false);
  });

  it('leaves out a torn tail, whatever its length, and goes on in a new segment', async () => {
    await open().append(source, { rows: [row(1), row(2)] });
    await open().append(source, { rows: [row(3)] });
    const whole = segments().find((file) => readFileSync(file, 'utf8').includes('row 3')) as string;
    for (let cut = 1; cut < statSync(whole).size; cut += 13) {
      truncateSync(whole, statSync(whole).size - cut);
      expect(await numbers()).toEqual([1, 2]);
    }
    appendFileSync(whole, 'garbage');
    await open().append(source, { rows: [row(4)] });
    expect((await numbers()).sort()).toEqual([1, 2, 4]);
  });

  it('keeps every acknowledged batch whole when its process is killed, and a retry finds it', async () => {
    const script = fileURLToPath(new URL('../support/push-forever.ts', import.meta.url));
    const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    let acknowledged = -1;
    child.stdout.on('data', (chunk: Buffer) => {
      acknowledged = Number(chunk.toString().trim().split('\n').at(-1));
      if (acknowledged >= 40) child.kill('SIGKILL');
    });
    await once(child, 'exit');
    const found = await numbers();
    expect(found.length % 2).toBe(0);
    expect(found.slice(0, acknowledged + 2)).toEqual(Array.from({ length: acknowledged + 2 }, (_, index) => index));
    const log = openPushLog(folder, { clock: systemClock });
    logs.push(log);
    const last = found.length - 2;
    const retry = await log.append(source, { rows: [row(last), row(last + 1)], idempotencyKey: `batch ${last}` });
    expect(retry.isRepeat).toBe(true);
    expect(await numbers()).toEqual(found);
  });

  it('drops only segments that a materialize covers whole', async () => {
    const first = open(NOW);
    await first.append(source, { rows: [row(1)] });
    await first.close();
    const second = open(NOW + 100);
    await second.append(source, { rows: [row(2)] });
    expect(await second.dropCovered('numbers', NOW + 50)).toBe(1);
    expect(await numbers()).toEqual([2]);
    expect(await second.dropCovered('numbers', NOW + 50)).toBe(0);
    expect(await second.dropCovered('numbers', NOW + 100)).toBe(1);
    await second.append(source, { rows: [row(3)] });
    expect(await numbers()).toEqual([3]);
  });

  it('reads rows of an older set of columns by name', async () => {
    await open().append(source, { rows: [row(1)] });
    const grown = {
      ...source,
      columns: [{ name: 'added', type: { kind: 'bool' } as const }, ...source.columns.slice(0, 1)],
    };
    expect((await contents(grown)).map((pushed) => pushed.row)).toEqual([{ added: null, n: 1n }]);
  });

  it('exports its events as JSON lines, digits kept', async () => {
    await open().append(source, { rows: [{ row: { n: 2n ** 62n + 1n, text: 'x', at: 1_000_000 } }] });
    const file = join(folder, 'out.jsonl');
    expect(await exportPushLog(folder, source, file)).toBe(1);
    expect(readFileSync(file, 'utf8')).toBe(
      `{"n":4611686018427387905,"text":"x","at":"1970-01-01T00:00:01Z","__hr_known":${NOW},"__hr_order":${NOW}}\n`,
    );
  });

  it('is empty for a source that was never pushed to', async () => {
    expect(await numbers()).toEqual([]);
  });
});
