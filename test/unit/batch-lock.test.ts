// A batch's lock where another process ends at the same moment, and takes the folder of its work away.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockFolder } from '../../src/batch-prediction/lock-folder.ts';

let out: string;
beforeEach(() => (out = mkdtempSync(join(tmpdir(), 'headrace-batch-lock-'))));
afterEach(() => rmSync(out, { recursive: true, force: true }));

it('is refused as a conflict where the work is gone', () => {
  expect(() => lockFolder({ name: out, work: join(out, '_work') })).toThrow(/has just ended its work/);
});
