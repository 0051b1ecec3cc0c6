// Work with a database in a session of its own: where its connection is lost, again from the start, a few times.

import { setTimeout as sleep } from 'node:timers/promises';
import type { PlaceDeps } from '../source-deps.ts';
import { redacted, shownPlace } from './connection-url.ts';
import { type DatabaseDriver, type DatabaseSession, DEFAULT_BACKOFF_MS, DEFAULT_SILENCE_MS } from './database.ts';
import { troubleError } from './database-errors.ts';
import { DatabaseTrouble } from './database-trouble.ts';

const TRIES = 4;

/** The work in a session of its own, as often as it takes. Errors as `pinDatabase` has them of databases. */
export async function inSession<T>(
  url: string,
  owner: string,
  driver: DatabaseDriver,
  { remote, logger }: Pick<PlaceDeps, 'remote' | 'logger'>,
  work: (session: DatabaseSession) => Promise<T>,
): Promise<T> {
  const { silenceMs = DEFAULT_SILENCE_MS, backoffMs = DEFAULT_BACKOFF_MS, ...more } = remote?.databases ?? {};
  const place = shownPlace(url);
  for (let attempt = 1; ; attempt++) {
    try {
      logger.info({ source: owner, database: place, silenceMs }, 'reading a database');
      const session = await driver.open(url, { ...more, silenceMs });
      try {
        return await work(session);
      } finally {
        await session.close();
      }
    } catch (error) {
      if (!(error instanceof DatabaseTrouble)) throw error;
      if (error.kind !== 'lost' || attempt === TRIES) throw troubleError(error, owner, driver, url, attempt);
      const waitMs = backoffMs * 2 ** (attempt - 1);
      logger.warn(
        { source: owner, database: place, reason: redacted(error.message, url), waitMs },
        'a database was lost while it was read: trying again',
      );
      await sleep(waitMs);
    }
  }
}
