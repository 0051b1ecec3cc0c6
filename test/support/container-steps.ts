// Steps in containers by a process of another user: runs orders, and says as JSON how each ended and whose its output was.

import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openExecutorWorld } from './executor-world.ts';

/** `commands` of the image's shell, one after the other; then one that is cancelled while it runs. */
export interface ContainerStepsOrder {
  readonly directory: string;
  readonly image: string;
  readonly commands: readonly string[];
  readonly lasting: string;
}

const order = JSON.parse(process.argv[2] ?? '{}') as ContainerStepsOrder; // given by a test
const world = openExecutorWorld({ directory: order.directory, variables: process.env });
const action = (command: string) =>
  ({ kind: 'container', image: order.image, command: ['/bin/sh', '-c', command] }) as const;

const ends: unknown[] = [];
for (const command of order.commands) {
  const [end] = await world.run(action(command));
  ends.push({ end, value: end?.kind === 'succeeded' ? await world.value(end) : undefined, log: world.log() });
}
const slice = world.slice(await world.order(action(order.lasting)));
const handles = await world.executor.submit([slice]);
process.send?.({ kind: 'lasts' });
process.once('message', () => {
  void (async () => {
    await world.executor.cancel(handles);
    const blobs = readdirSync(join(order.directory, 'artifacts', 'blobs'), { recursive: true, encoding: 'utf8' });
    const owners = blobs.map((name) => statSync(join(order.directory, 'artifacts', 'blobs', name)).uid);
    process.send?.({ kind: 'cancelled', ends, owners: [...new Set(owners)] });
    await world.executor.close();
    process.disconnect();
  })();
});
