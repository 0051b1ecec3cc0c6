// A driver as a process of its own, to be killed: submits orders to a local executor, tells their handles and its launcher's pid, and stays.

import { openExecutorWorld } from './executor-world.ts';

const [, , directory = '', driver = '', ...specs] = process.argv;
const world = openExecutorWorld({ directory, driver });
const handles = await world.executor.submit(specs.map((spec) => world.slice(spec)));
process.send?.({ handles, launcher: world.executor.launcherPid });
setInterval(() => {}, 1000);
