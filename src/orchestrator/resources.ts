// Amounts of memory as pipelines write them: '4Gi', '512Mi', '2GB'.

import { HeadraceError } from '../core/index.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** The bytes of an amount. Throws HR_INVALID. */
export function memoryBytes(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim()) ?? [];
  const size = unit === undefined ? undefined : UNITS[unit];
  if (amount !== undefined && size !== undefined) return Number(amount) * size;
  throw new HeadraceError('HR_INVALID', `resources.memory is an amount such as "4Gi" or "512Mi", got "${text}"`);
}
