// Execution providers by the names that definitions and settings give them: what computes a model's nodes, in order.

import { didYouMean } from './suggest.ts';

export interface Provider {
  readonly name: string;
  /** Of several devices, which: `cuda:1`. Undefined: the first. */
  readonly device: number | undefined;
}

/** Those that ONNX Runtime's package for Node has on one system or another. */
const PROVIDERS = ['cpu', 'cuda', 'tensorrt', 'webgpu', 'dml', 'coreml'];
const WITH_DEVICES: ReadonlySet<string> = new Set(['cuda', 'tensorrt', 'dml']);

/** Undefined for what names none: see `providersMistake`. */
export function readProvider(text: string): Provider | undefined {
  const [, name = '', device] = /^([a-z]+)(?::(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  if (!PROVIDERS.includes(name) || (device !== undefined && !WITH_DEVICES.has(name))) return undefined;
  return { name, device: device === undefined ? undefined : Number(device) };
}

/** What is wrong with providers in order, as the end of a sentence; undefined where nothing is. */
export function providersMistake(providers: readonly string[]): string | undefined {
  for (const [at, text] of providers.entries()) {
    if (readProvider(text) === undefined) {
      const [name = ''] = text.split(':');
      if (PROVIDERS.includes(name))
        return `"${text.slice(0, 40)}" is no device of "${name}": ${WITH_DEVICES.has(name) ? `write "${name}" or "${name}:1"` : `it has none to choose, write "${name}"`}`;
      return `"${text.slice(0, 40)}" is no execution provider: they are ${PROVIDERS.join(', ')}.${didYouMean(name, PROVIDERS)}`;
    }
    if (providers.indexOf(text) < at) return `"${text}" is named twice`;
  }
  const cpu = providers.indexOf('cpu');
  if (cpu >= 0 && cpu < providers.length - 1)
    return `"cpu" takes every node, so nothing comes after it: name it last, or alone`;
  return undefined;
}
