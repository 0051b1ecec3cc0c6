// The client as a bundler for browsers makes it: of no Node module, no package, and small.

import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, it } from 'vitest';

const ENTRY = 'src/client/index.ts';

it('is of its own files alone, and a few kilobytes', async () => {
  const whole = { bundle: true, minify: true, write: false, metafile: true } as const;
  const target = { platform: 'browser', format: 'esm', logLevel: 'silent' } as const;
  const { outputFiles, metafile } = await build({ entryPoints: [ENTRY], ...whole, ...target });
  const [bundle] = outputFiles;
  const inputs = Object.keys(metafile.inputs);
  expect(inputs).toContain(ENTRY);
  expect(inputs.filter((path) => !path.startsWith('src/client/'))).toEqual([]);
  const globals = ['process', 'Buffer', 'require', '__dirname', 'setImmediate'];
  const used = globals.filter((name) => new RegExp(`\\b${name}\\b`).test(bundle?.text ?? ''));
  expect(used).toEqual([]);
  const [plain, zipped] = [bundle?.contents.length ?? 0, gzipSync(bundle?.contents ?? '').length];
  expect(plain).toBeGreaterThan(5000);
  expect(plain).toBeLessThan(16_000);
  expect(zipped).toBeLessThan(7000);
});
