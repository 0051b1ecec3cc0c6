// A project of plain models, for the Open Inference Protocol: no features, nothing but what is registered.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApp, readEnvironment, registerPlainModel } from '../src/app/index.ts';
import { silentLogger } from '../src/core/index.ts';

export interface PlainProject {
  readonly directory: string;
  /** A model's ONNX file, for servers that are no headrace. */
  fileOf(model: string): string;
  remove(): void;
}

/** `models`: ONNX by name, each registered as version 1. */
export async function createPlainProject(models: Readonly<Record<string, Uint8Array>>): Promise<PlainProject> {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  mkdirSync(join(directory, 'feature_repo'));
  writeFileSync(join(directory, 'headrace.config.ts'), `export default { project: 'bench_plain' };\n`);
  const fileOf = (model: string): string => join(directory, `${model}.onnx`);
  const environment = { ...readEnvironment({}), workingDirectory: directory };
  const app = await openApp({ environment, logger: silentLogger });
  try {
    for (const [model, onnx] of Object.entries(models)) {
      writeFileSync(fileOf(model), onnx);
      await registerPlainModel(app, { model, onnx });
    }
  } finally {
    await app.close();
  }
  return { directory, fileOf, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
