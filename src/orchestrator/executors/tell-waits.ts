// Keeps what steps wait for on other machines where `runs show` finds it, as long as it changes.

import { randomUUID } from 'node:crypto';
import { type Logger, stringifyJson } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';
import { storeWaits } from '../committed/run-waits.ts';

export interface TellWaitsOptions {
  readonly objects: ObjectStore;
  readonly run: string;
  readonly driver: string;
  readonly logger: Logger;
  /** By step, in a sentence. */
  readonly waits: () => Readonly<Record<string, string>>;
}

const LOOK_MS = 2000;
const NOTHING = '{}';

/** Gives what ends it, and takes back what it has told. */
export function tellWaits({ objects, run, driver, logger, waits }: TellWaitsOptions): () => Promise<void> {
  const executor = randomUUID();
  let told = NOTHING;
  let telling: Promise<void> = Promise.resolve();
  const tell = async (steps: Readonly<Record<string, string>>): Promise<void> => {
    const text = stringifyJson(steps);
    if (text === told) return;
    try {
      await storeWaits(objects, run, executor, { driver, steps });
      told = text;
    } catch (error) {
      logger.debug({ error: String(error) }, 'what steps wait for could not be stored');
    }
  };
  const timer = setInterval(() => {
    const steps = waits();
    telling = telling.then(() => tell(steps));
  }, LOOK_MS);
  timer.unref();
  return async () => {
    clearInterval(timer);
    await telling;
    await tell({});
  };
}
