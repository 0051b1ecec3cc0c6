// Where the kernel says that a process's control group lies.

import { expect, it } from 'vitest';
import { groupIn } from '../../src/orchestrator/step/groups-folder.ts';

const line = (root: string, folder: string, type = 'cgroup2 cgroup2 rw') =>
  `35 24 0:30 ${root} ${folder} rw,nosuid shared:9 - ${type}\n`;
const unified = line('/', '/sys/fs/cgroup');

it.each([
  ['0::/system.slice/worker.service\n', unified, '/sys/fs/cgroup/system.slice/worker.service'],
  ['0::/\n', unified, '/sys/fs/cgroup'],
  // Beside version 1.
  ['4:memory:/a\n0::/b\n', line('/', '/sys/fs/cgroup/memory', 'cgroup cgroup rw,memory') + line('/', '/u'), '/u/b'],
  // A part of the tree mounted into a container, at a path with a blank.
  ['0::/docker/1/worker\n', line('/docker/1', '/my\\040groups'), '/my groups/worker'],
  ['0::/docker/2\n', line('/docker/1', '/sys/fs/cgroup'), undefined],
  ['4:memory:/a\n', unified, undefined],
  ['0::/a\n', line('/', '/sys/fs/cgroup/memory', 'cgroup cgroup rw,memory'), undefined],
])('of %j it is %3$j', (cgroup, mountInfo, folder) => {
  expect(groupIn(cgroup, mountInfo)).toBe(folder);
});
