// Whether CUDA (by a GPU) and WebGPU (by a driver of Vulkan) can be had here; what a machine lacks is said loudly.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { linearModel } from './onnx-model.ts';
import { skipBecause } from './skips.ts';

/** Where ONNX Runtime looks for the libraries of its providers: beside its own. */
export const ORT_LIBRARIES = join(
  import.meta.dirname,
  `../../node_modules/onnxruntime-node/bin/napi-v6/${process.platform}/${process.arch}`,
);

/** Why there is none, in a sentence's words; undefined where there is. */
function whyNoGpu(): string | undefined {
  const { status, stdout } = spawnSync('nvidia-smi', ['--list-gpus'], { encoding: 'utf8' });
  if (status !== 0 || stdout.trim() === '') return 'there is no NVIDIA GPU (`nvidia-smi --list-gpus` lists none)';
  const library = join(ORT_LIBRARIES, 'libonnxruntime_providers_cuda.so');
  if (!existsSync(library)) return `there is a GPU, and no ${library}: docs/guides/gpu.md says how to bring it`;
  return undefined;
}

/** Whether a suite can run; says loudly where it can't. */
export function hasGpu(suite: string): boolean {
  const why = whyNoGpu();
  if (why !== undefined) skipBecause(`${suite}: ${why}`);
  return why === undefined;
}

/** Vulkan on the CPU, as Debian's `chromium-common` has it. */
export const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';

const OPENS = `const { InferenceSession } = require('onnxruntime-node');
InferenceSession.create(Buffer.from(process.argv[1], 'base64'), { executionProviders: ['webgpu'] }).then(() => process.exit(0));`;

/** As `hasGpu`; where nothing says which driver of Vulkan to take and there is SwiftShader, that is taken. */
export function hasWebGpu(suite: string): boolean {
  // The loader of Vulkan reads it as the process has it.
  if (existsSync(SWIFTSHADER)) process.env['VK_DRIVER_FILES'] ??= SWIFTSHADER;
  // In a process of its own: what WebGPU once begins in one stays there.
  const onnx = Buffer.from(linearModel(1)).toString('base64');
  const options = { cwd: join(import.meta.dirname, '../..'), encoding: 'utf8', timeout: 60_000 } as const;
  const { status, stderr } = spawnSync(process.execPath, ['-e', OPENS, onnx], options);
  if (status === 0) return true;
  const why = stderr.split('\n').find((line) => line.includes('Error')) ?? `exit code ${String(status)}`;
  const how = 'apt-get install libvulkan1 chromium-common';
  skipBecause(`${suite}: WebGPU finds nothing to run on (${why.slice(-200)}): ${how}`);
  return false;
}

/** Memory in use on the first GPU, by whoever, in bytes. */
export function gpuMemoryUsed(): number {
  const query = ['--query-gpu=memory.used', '--format=csv,noheader,nounits', '--id=0'];
  return Number(spawnSync('nvidia-smi', query, { encoding: 'utf8' }).stdout.trim()) * 2 ** 20;
}
