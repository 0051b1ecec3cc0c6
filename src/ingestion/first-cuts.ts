// From which cut on this writer folds into each version of a view: told to the registry, which knows by it whether a run
// covers all that was logged without the version.

import { type Logger, messageOf } from '../core/index.ts';
import type { VersionEpoch } from '../definitions/index.ts';
import type { LiveView } from './source-plan.ts';
import type { FirstCutTable } from './ingestion-deps.ts';

export interface FirstCuts {
  /** A cut of these views is open on disk. What can't be told now is at the next call: a version only comes late by it. */
  opened(cut: number, views: readonly LiveView[]): Promise<void>;
  /** Tells what could not be told before. */
  retry(): Promise<void>;
}

export function createFirstCuts(table: FirstCutTable | undefined, writer: number, logger: Logger): FirstCuts {
  /** Those that the last cut was opened with: one that was away between has a first cut again. */
  let known = new Set<string>();
  let waiting: { readonly cut: number; readonly versions: readonly VersionEpoch[] }[] = [];
  let telling: Promise<void> | undefined;

  const tell = async (): Promise<void> => {
    try {
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        await table?.noteFirstCuts(writer, next.cut, next.versions);
        waiting.shift();
      }
    } catch (error) {
      logger.warn({ writer, reason: messageOf(error) }, 'the registry was not told of new view versions; trying again');
    }
  };
  const retry = (): Promise<void> => {
    telling ??= tell().finally(() => (telling = undefined));
    return telling;
  };

  return {
    async opened(cut, views) {
      const nameOf = ({ version, epoch }: VersionEpoch) => `${version} ${epoch}`;
      const all = views.map(({ codec: { version }, epoch }): VersionEpoch => ({ version, epoch }));
      const fresh = all.filter((one) => !known.has(nameOf(one)));
      known = new Set(all.map(nameOf));
      if (fresh.length === 0) return;
      waiting.push({ cut, versions: fresh });
      await retry();
    },
    retry,
  };
}
