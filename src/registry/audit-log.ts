// The audit log: who changed what, when, from what to what, and why. A change has its row in its own transaction; one that was
// refused has it afterwards, as nothing of its transaction is left.

import type { Kysely } from 'kysely';
import type { Json, Micros } from '../core/index.ts';
import { type AuditEntry, readJson, type RegistryDb, type RegistryStore } from './store.ts';

export interface AuditRecord {
  readonly id: number;
  readonly atMicros: Micros;
  readonly actor: string;
  readonly action: string;
  readonly object: string;
  readonly before: Json;
  readonly after: Json;
  /** Null where none was given. */
  readonly reason: string | null;
}

export interface AuditLog {
  /** For changes outside the registry's own tables; its own changes record themselves. */
  record(entry: AuditEntry): Promise<void>;
  /** The same in somebody's open transaction on the registry's database. */
  recordIn(trx: Kysely<unknown>, entry: AuditEntry): Promise<void>;
  /** Newest first; at most `limit` (100 unless given), of one object such as `endpoint/delay` where given. */
  list(filter?: { readonly object?: string; readonly limit?: number }): Promise<AuditRecord[]>;
}

export function createAuditLog(store: RegistryStore): AuditLog {
  return {
    record: (entry) => store.writeAudit(store.db, entry),
    // The registry's own tables are in it.
    recordIn: (trx, entry) => store.writeAudit(trx as unknown as RegistryDb, entry),
    async list({ object, limit = 100 } = {}) {
      let query = store.db.selectFrom('registry_audit').selectAll().orderBy('id', 'desc').limit(limit);
      if (object !== undefined) query = query.where('object', '=', object);
      const rows = await query.execute();
      return rows.map(({ id, at, actor, action, object: on, before, after, reason }) => ({
        // The database gave it.
        id: id as number,
        atMicros: at,
        actor,
        action,
        object: on,
        before: readJson(before),
        after: readJson(after),
        reason: reason ?? null,
      }));
    },
  };
}
