// A spine of a gigabyte over HTTP: it passes by on its way to disk, the server's memory stays what it was, and it answers others.

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Project, type ServerProcess, startServe } from '../support/serving-project.ts';
import { ask, CSV, fetchData, jobOf, QUERY, untilJob } from '../support/training-set-client.ts';
import { createTrainingSetProject } from '../support/training-set-server.ts';

const GIGABYTE = 1024 ** 3;
const ROWS = 1_000_000;
/** What the request's own buffers and garbage may come to. */
const GROWTH_BYTES = 200 * 1024 ** 2;

let project: Project;
let server: ServerProcess;
beforeAll(async () => {
  project = await createTrainingSetProject();
  server = await startServe(project);
}, 120_000);
afterAll(async () => {
  await server.stop();
  project.remove();
});

const rssBytes = (): number => {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.process.pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
};

/** Rows of a key, a time and padding that no two rows share the beginning of; a gigabyte of them. */
function largeSpine(): { readonly stream: ReadableStream<Uint8Array>; readonly sent: () => number } {
  const padding = 'x'.repeat(Math.ceil(GIGABYTE / ROWS));
  let [row, sent] = [0, 0];
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (row === ROWS) {
        controller.close();
        return;
      }
      let text = row === 0 ? 'shop,price,late,at,note\n' : '';
      for (const end = Math.min(row + 100, ROWS); row < end; row++)
        text += `shop${row % 100},${row % 7},${row % 3 === 0},2024-01-${String((row % 20) + 5).padStart(2, '0')} 00:00:00,${row}${padding}\n`;
      const bytes = Buffer.from(text);
      sent += bytes.length;
      controller.enqueue(bytes);
    },
  });
  return { stream, sent: () => sent };
}

it('is taken in bounded memory, while others are answered, and makes its set', async () => {
  const before = rssBytes();
  let [most, answered, isOver] = [before, 0, false];
  const watching = (async (): Promise<void> => {
    while (!isOver) {
      most = Math.max(most, rssBytes());
      if ((await fetch(`${server.url}/health/live`)).status === 200) answered++;
      await sleep(100);
    }
  })();
  watching.catch(() => {});
  const { stream, sent } = largeSpine();
  const { id } = await jobOf(ask(server.url, CSV, stream, QUERY, { 'idempotency-key': 'large' }));
  expect(sent()).toBeGreaterThan(GIGABYTE);
  const job = await untilJob(server.url, id, undefined, 1_200_000);
  expect(job).toMatchObject({ state: 'done', error: null });
  const data = await fetchData(server.url, String(job.training_set), { accept: 'application/vnd.apache.arrow.stream' });
  let bytes = 0;
  for await (const piece of data.body ?? []) bytes += piece.length;
  isOver = true;
  await watching;
  // The padding is part of the set.
  expect(bytes).toBeGreaterThan(GIGABYTE);
  expect(most - before).toBeLessThan(GROWTH_BYTES);
  expect(answered).toBeGreaterThan(10);
  expect(readdirSync(project.file('.headrace/offline/training-set-jobs'))).toEqual([]);
});
