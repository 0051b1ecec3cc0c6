// Amounts of memory as pipelines write them: '4Gi', '512Mi', '2GB'.

import { HeadraceError } from '../core/index.ts';

// What definitions let through: K, M, G, T in either case, by 1,024 with an i, else by 1,000.
const AMOUNT = /^(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B)?$/i;

/** The bytes of an amount. Throws HR_INVALID. */
export function memoryBytes(text: string): number {
  const [, amount, prefix = '', binary = ''] = AMOUNT.exec(text.trim()) ?? [];
  if (amount === undefined) {
    throw new HeadraceError('HR_INVALID', `resources.memory is an amount such as "4Gi" or "512Mi", got "${text}"`);
  }
  const power = prefix === '' ? 0 : 'KMGT'.indexOf(prefix.toUpperCase()) + 1;
  return Number(amount) * (binary === '' ? 1000 : 1024) ** power;
}
