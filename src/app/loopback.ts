// Which addresses only this machine can reach.

import { isIPv4 } from 'node:net';
import { HeadraceError, type Logger } from '../core/index.ts';

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || (isIPv4(host) && host.startsWith('127.'));
}

/** Any other address needs `--insecure` while there are no keys. Throws HR_CONFIG. */
export function checkHost(host: string, isInsecure: boolean, logger: Logger): void {
  if (isLoopback(host)) return;
  if (!isInsecure) {
    throw new HeadraceError(
      'HR_CONFIG',
      `${host} can be reached from other machines, and the server has no authentication yet. Serve on 127.0.0.1, or say --insecure.`,
    );
  }
  logger.warn({ host }, 'serving without authentication on an address that other machines can reach (--insecure)');
}
