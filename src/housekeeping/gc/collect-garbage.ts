// Clears away what nothing needs any more, by the collectors of those who own it. A dry run plans the same and stops there. What
// is needed again by the time of its removal stays; each removal is in the audit log, in the transaction that decides it.

import { type Logger, messageOf, type Progress } from '../../core/index.ts';
import type { AuditLog } from '../../registry/index.ts';
import type { Collector, Database, Removable } from '../../storage/index.ts';
import { dropRemoval, migrateHousekeeping, noteRemoval, pendingRemovals } from './removal-table.ts';

export interface GarbageDeps {
  readonly database: Database;
  readonly auditLog: Pick<AuditLog, 'recordIn'>;
  readonly collectors: readonly Collector[];
  readonly actor: string;
  readonly logger: Logger;
  readonly progress: Progress;
}

export interface CollectedItem extends Removable {
  readonly collector: string;
}

export interface GarbageReport {
  /** What went; in a dry run, what would. */
  readonly items: readonly CollectedItem[];
  /** What was planned, and is needed again or gone by itself. */
  readonly stayed: readonly CollectedItem[];
  /** Collectors and items that could not be dealt with; the others were. */
  readonly failures: readonly { readonly collector: string; readonly reason: string }[];
  readonly notes: readonly string[];
}

/** In one transaction; servers wait for it with their changes. */
const AT_ONCE = 50;

/** Throws nothing for a collector that fails: the report says so. */
export async function collectGarbage(
  deps: GarbageDeps,
  { dryRun }: { readonly dryRun: boolean },
): Promise<GarbageReport> {
  const { collectors, progress } = deps;
  const database = dryRun ? deps.database : await migrateHousekeeping(deps.database);
  const failures: GarbageReport['failures'][number][] = [];
  const attempt = async <T>(collector: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      failures.push({ collector, reason: messageOf(error) });
      return undefined;
    }
  };
  if (!dryRun) await goOn({ ...deps, database }, attempt);
  const planned: { readonly collector: Collector; readonly items: readonly Removable[] }[] = [];
  const notes: string[] = [];
  for (const collector of collectors) {
    progress.start(`look for ${collector.name}s to remove`);
    const plan = await attempt(collector.name, () => collector.plan());
    progress.done(String(plan?.items.length ?? 0));
    if (plan === undefined) continue;
    planned.push({ collector, items: plan.items });
    notes.push(...(plan.notes ?? []));
  }
  const named = ({ name }: Collector, items: readonly Removable[]) =>
    items.map((item) => ({ ...item, collector: name }));
  if (dryRun) {
    return { items: planned.flatMap(({ collector, items }) => named(collector, items)), stayed: [], failures, notes };
  }
  const [gone, stayed]: [CollectedItem[], CollectedItem[]] = [[], []];
  for (const { collector, items } of planned) {
    for (let from = 0; from < items.length; from += AT_ONCE) {
      const some = items.slice(from, from + AT_ONCE);
      const going = await attempt(collector.name, () => remove({ ...deps, database }, collector, some, attempt));
      if (going === undefined) continue;
      gone.push(...named(collector, going));
      stayed.push(
        ...named(
          collector,
          some.filter((item) => !going.includes(item)),
        ),
      );
    }
  }
  return { items: gone, stayed, failures, notes };
}

type Attempt = <T>(collector: string, work: () => Promise<T>) => Promise<T | undefined>;

/** What an earlier run decided and did not come to the end of. */
async function goOn({ database, collectors }: GarbageDeps, attempt: Attempt): Promise<void> {
  for (const { collector: name, item } of await pendingRemovals(database)) {
    const collector = collectors.find((one) => one.name === name);
    if (collector !== undefined) await attempt(name, () => finish(database, collector, item));
  }
}

async function finish(database: Database, collector: Collector, item: Removable): Promise<void> {
  await collector.erase(item);
  await dropRemoval(database.tables(), collector.name, item.id);
}

async function remove(
  { database, auditLog, actor, logger }: GarbageDeps,
  collector: Collector,
  items: readonly Removable[],
  attempt: Attempt,
): Promise<readonly Removable[]> {
  const asked = (await collector.recheck?.(items)) ?? items;
  const going = await database.transaction<unknown, readonly Removable[]>(
    async (trx) => {
      const noted: Removable[] = [];
      for (const item of asked) if (await noteRemoval(trx, collector.name, item)) noted.push(item);
      const forgotten = await collector.forget(trx, noted);
      const stays = noted.filter((item) => !forgotten.includes(item));
      for (const { id } of stays) await dropRemoval(trx, collector.name, id);
      for (const { id, what, why, bytes } of forgotten) {
        await auditLog.recordIn(trx, {
          actor,
          action: 'gc.remove',
          object: `${collector.name.replaceAll(' ', '-')}/${id}`,
          before: { what, bytes },
          reason: why,
        });
      }
      return forgotten;
    },
    { serializedBy: 'registry' },
  );
  for (const item of going) await attempt(collector.name, () => finish(database, collector, item));
  if (going.length > 0) logger.info({ collector: collector.name, items: going.length }, 'removed by gc');
  return going;
}
