// What of a task's output folder is a result, and what is refused, without running a task: each row makes the folder by a shell.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { collectOutput } from '../../src/orchestrator/step/result.ts';
import { type ObjectStore, openObjectStore } from '../../src/storage/index.ts';

let folder = '';
let output = '';
let objects: ObjectStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'headrace-output-'));
  output = join(folder, 'out');
  mkdirSync(output);
  objects = openObjectStore(`file:${join(folder, 'artifacts')}`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Of a task that ran this in its output folder. */
function collect(command: string) {
  execFileSync('sh', ['-c', command], { cwd: output, env: { ...process.env, HEADRACE_STEP_OUTPUT: output } });
  return collectOutput(objects, output);
}

it('is what lies in result.json, with the files beside it named in it; null where there is nothing', async () => {
  expect(await collect('true')).toEqual({ output: { json: 'null' }, files: {} });
  const { output: told, files } = await collect(`mkdir m; printf weights > m/a; echo '{"auc": 1}' > result.json`);
  expect(Object.entries(files)).toMatchObject([['m/a', { size: 7 }]]);
  expect(told).toEqual({ json: JSON.stringify({ auc: 1, files }) });
});

it.each<[what: string, command: string, reason: RegExp]>([
  [
    'files and an array',
    'echo "[1]" > result.json; echo 2 > a.onnx',
    /left files \(a\.onnx\), so its .* hold an object/,
  ],
  ['an output folder that is gone', 'rm -r $HEADRACE_STEP_OUTPUT', /left its output folder so .* be read: it is gone/],
  ['a result that is no JSON', 'echo "auc = 3" > result.json', /result\.json is not JSON/],
  ['a result of a gigabyte', 'truncate -s 1G result.json', /1024 MiB, more than the 64 MiB .* write .* as a file/],
  ['a result that is a pipe', 'mkfifo result.json', /left result\.json as a pipe, and only files and folders are kept/],
  ['a result without an end', 'ln -s /dev/zero result.json', /left result\.json as a link.*: copy what it leads to/],
  ['a result that is a folder', 'mkdir result.json', /left result\.json as a folder, .*: write .* as a file/],
  [
    'a result so deep that nothing reads it again',
    `python3 -c 'print("[" * 200000 + "]" * 200000)' > result.json`,
    /must hold what can be read again, but it is nested more than 1000 deep/,
  ],
  ['a number that is none any more', 'echo "[1e999]" > result.json', /result\[0\] is Infinity/],
  [
    'a file that is a socket',
    `python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("s")'`,
    /left "s" as a socket/,
  ],
  [
    'an output folder that is somewhere else',
    'rmdir $HEADRACE_STEP_OUTPUT; ln -s /etc $HEADRACE_STEP_OUTPUT',
    /left its output folder as a link/,
  ],
  [
    'a file whose name is no UTF-8',
    `python3 -c 'import os; open(os.environb[b"HEADRACE_STEP_OUTPUT"] + b"/\\xff", "w")'`,
    /its name is not UTF-8; name it by UTF-8/,
  ],
  [
    'a result with NaN',
    'echo "{\\"auc\\": NaN}" > result.json',
    /result\.json is not JSON[^]*It has NaN, which JSON has not: write null or a number/,
  ],
  [
    'a file that is a link out of its folder',
    'mkdir a; ln -s /etc/passwd a/list',
    /left "a\/list" as a link.*: copy what it leads to/,
  ],
])('is refused where it is %s', async (_what, command, reason) => {
  await expect(collect(command)).rejects.toThrow(reason);
});
