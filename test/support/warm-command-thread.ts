// The thread of `warm-command.ts`: hands each request to the process and wakes who waits.

import { type MessagePort, workerData } from 'node:worker_threads';
import type { WarmRequest } from './warm-command.ts';
import { openWarmChild } from './warm-command-child.ts';

// Given by `openThread`.
const { port, turn } = workerData as { port: MessagePort; turn: Int32Array };
const ask = openWarmChild();
port.on('message', (request: WarmRequest) => {
  void ask(request).then((answer) => {
    port.postMessage(answer);
    Atomics.store(turn, 0, 1);
    Atomics.notify(turn, 0);
  });
});
