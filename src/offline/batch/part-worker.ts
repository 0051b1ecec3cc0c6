// A thread of a batch: opens the model once, then writes part after part.

import { parentPort, workerData } from 'node:worker_threads';
import { toHeadraceError } from '../../core/index.ts';
import type { PartOrder, PartReply, PartWork } from './part-messages.ts';
import { openPartWriter } from './part-writer.ts';

const port = parentPort;
if (port === null) throw new Error('part-worker runs only as a worker thread');

const tell = (reply: PartReply): void => port.postMessage(reply);
const fail = (thrown: unknown): void => {
  const { code, message } = toHeadraceError(thrown);
  tell({ kind: 'failed', code, message });
};

// Given by part-pool.
const work = workerData as PartWork;
const writer = openPartWriter(work, (rows) => tell({ kind: 'scored', rows }));
writer.catch(fail);

port.on('message', (order: PartOrder | 'stop') => {
  void obey(order).catch(fail);
});

async function obey(order: PartOrder | 'stop'): Promise<void> {
  if (order !== 'stop') return tell({ kind: 'done', index: order.index, ...(await (await writer).write(order)) });
  await writer.then(
    (opened) => opened.close(),
    () => undefined,
  );
  port?.close();
}
