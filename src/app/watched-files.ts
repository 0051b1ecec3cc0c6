// Files whose text is taken again when it changes: certificates and keys, which others renew while the server runs.

import { readFile } from 'node:fs/promises';
import { HeadraceError, type Logger, messageOf } from '../core/index.ts';

const POLL_MS = 1000;

export interface WatchedFiles {
  close(): void;
}

/** The text of a file that a setting names. Throws HR_CONFIG. */
export async function readSettingFile(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (thrown) {
    throw new HeadraceError('HR_CONFIG', `${setting}: ${path} cannot be read: ${messageOf(thrown)}`, { cause: thrown });
  }
}

/**
 * Reads the files once a second and gives `take` their texts when they differ from those before. What `take` throws is logged, once
 * for the same texts: what was taken before stays, and files that are written one after the other come to fit.
 */
export function watchFiles(
  paths: readonly string[],
  taken: readonly string[],
  take: (texts: readonly string[]) => void,
  logger: Logger,
): WatchedFiles {
  let before = taken.join('\0');
  let told = '';
  let isReading = false;
  const look = async (): Promise<void> => {
    try {
      const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
      const now = texts.join('\0');
      if (now === before) return;
      before = now;
      take(texts);
      told = '';
      logger.info({ files: paths }, 'files have changed and are in use');
    } catch (thrown) {
      if (told !== `${before}${messageOf(thrown)}`)
        logger.error(
          { files: paths, reason: messageOf(thrown) },
          'files have changed and cannot be used: those before stay',
        );
      told = `${before}${messageOf(thrown)}`;
    }
  };
  const timer = setInterval(() => {
    if (isReading) return;
    isReading = true;
    void look().finally(() => (isReading = false));
  }, POLL_MS).unref();
  return { close: () => clearInterval(timer) };
}
