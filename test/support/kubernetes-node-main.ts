// The stand-in for a node as a process: `kubernetes-node-main.ts PLACE OPTIONS`, both as JSON. It ends with whoever started it.

import { openKubernetesClient } from './kubernetes-client.ts';
import { startNode } from './kubernetes-node.ts';

const [, , place = '', options = '{}'] = process.argv;
const node = await startNode(openKubernetesClient(JSON.parse(place)), JSON.parse(options));
process.on('message', (what) => {
  if (what === 'running') process.send?.(node.running());
});
process.once('disconnect', () => void node.stop().then(() => process.exit(0)));
process.send?.('ready');
