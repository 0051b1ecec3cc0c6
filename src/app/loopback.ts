// Which addresses only this machine can reach.

import { isIPv4 } from 'node:net';
import { HeadraceError, type Logger } from '../core/index.ts';

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}

/** Any other address takes keys or tokens (`isGuarded`), or `--insecure`. Throws HR_CONFIG. */
export function checkHost(host: string, isGuarded: boolean, isInsecure: boolean, logger: Logger): void {
  if (isLoopback(host) || isGuarded) return;
  if (!isInsecure) {
    throw new HeadraceError(
      'HR_CONFIG',
      `${host} can be reached from other machines, and no API key is in force. Make one by \`headrace keys create NAME --role predict\`, serve on 127.0.0.1, or say --insecure.`,
    );
  }
  logger.warn({ host }, 'serving without authentication on an address that other machines can reach (--insecure)');
}
