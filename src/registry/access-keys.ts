// API keys: who may do what on a server. The registry keeps the hash of each secret, never the secret; a key that ended keeps
// its row, so that a registry which ever had one is never taken for one without.

import {
  canonicalJson,
  didYouMeanOf,
  HeadraceError,
  type Json,
  type Micros,
  parseJson,
  type Role,
  ROLES,
  withoutKeySecrets,
} from '../core/index.ts';
import { hashSecret, newKeyToken, writeKeyToken } from './key-token.ts';
import { createTellRefusal } from './refusals.ts';
import type { RegistryTables } from './schema.ts';
import type { AuditEntry, RegistryDb, RegistryStore } from './store.ts';

export interface AccessKey {
  readonly id: string;
  /** Two keys share it while one takes the other's place. */
  readonly name: string;
  readonly roles: readonly Role[];
  /** Endpoints that it may use; null is all. */
  readonly endpoints: readonly string[] | null;
  readonly createdMicros: Micros;
  readonly createdBy: string;
  /** Null: never. */
  readonly expiresMicros: Micros | null;
  readonly revokedMicros: Micros | null;
  /** The last use of which a server has told: it does so within a minute, and when it stops. */
  readonly usedMicros: Micros | null;
}

/** What servers check a key by. */
export interface HashedKey extends AccessKey {
  /** SHA-256 of the secret, in hex. */
  readonly secretHash: string;
}

export interface NewKey {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly endpoints?: readonly string[] | undefined;
  /** From now; never when left out. */
  readonly lifeMicros?: Micros | undefined;
}

/** Who changes a key, and why: for the audit log. */
export interface KeyChange {
  readonly actor: string;
  readonly reason?: string | undefined;
}

export interface MadeKey {
  readonly key: AccessKey;
  /** `hr_<id>_<secret>`: kept nowhere. */
  readonly token: string;
}

export interface AccessKeys {
  /** Throws HR_INVALID (name, roles), HR_UNKNOWN_ENDPOINT, HR_CONFLICT while a key of that name is in force. */
  create(key: NewKey, by: KeyChange): Promise<MadeKey>;
  /**
   * Makes a second key like the one in force, which ends after `graceMicros`. The new one lives as long as the old one was
   * to. By its name or its id, with `hr_` or without. Throws HR_UNKNOWN_KEY, HR_CONFLICT while two are in force.
   */
  rotate(nameOrId: string, graceMicros: Micros, by: KeyChange): Promise<MadeKey & { readonly former: AccessKey }>;
  /** Ends a key by its id, with `hr_` or without, or all of a name. Throws HR_UNKNOWN_KEY when none of them is in force. */
  revoke(nameOrId: string, by: KeyChange): Promise<readonly AccessKey[]>;
  /** Those that ended, too; by name, the newest first. */
  list(): Promise<readonly HashedKey[]>;
  /** Tells when keys were last used, by id. It is no change that others would have to see. */
  markUsed(used: ReadonlyMap<string, Micros>): Promise<void>;
}

type Row = RegistryTables['registry_keys'];

export function createAccessKeys(store: RegistryStore): AccessKeys {
  const tellRefusal = createTellRefusal(store);
  const change = <R>(
    given: KeyChange & { readonly action: string; readonly object: string },
    work: (trx: RegistryDb, record: (entry: Pick<AuditEntry, 'before' | 'after'>) => Promise<void>) => Promise<R>,
  ): Promise<R> =>
    tellRefusal(given, () => store.change((trx, record) => work(trx, (entry) => record({ ...given, ...entry }))));
  const insert = async (trx: RegistryDb, key: AccessKey, secret: string): Promise<void> => {
    const { id, name, createdMicros, createdBy, expiresMicros } = key;
    await trx
      .insertInto('registry_keys')
      .values({
        id,
        name,
        secret_hash: hashSecret(secret).toString('hex'),
        roles: canonicalJson(key.roles),
        endpoints: key.endpoints === null ? null : canonicalJson(key.endpoints),
        created_at: createdMicros,
        created_by: createdBy,
        expires_at: expiresMicros,
        revoked_at: null,
        used_at: null,
      })
      .execute();
  };
  const made = (given: Pick<AccessKey, 'name' | 'roles' | 'endpoints'>, lifeMicros: Micros | null, actor: string) => {
    const { id, secret } = newKeyToken();
    const now = store.now();
    const expiresMicros = lifeMicros === null ? null : now + lifeMicros;
    const { name, roles, endpoints } = given;
    const times = { createdMicros: now, createdBy: actor, expiresMicros, revokedMicros: null, usedMicros: null };
    const key: AccessKey = { id, name, roles, endpoints, ...times };
    return { key, secret, token: writeKeyToken({ id, secret }) };
  };
  return {
    create: (given, by) =>
      change({ ...by, action: 'key.create', object: objectOf(given.name) }, async (trx, record) => {
        const roles = checkRoles(given.roles);
        checkName(given.name);
        const endpoints = given.endpoints === undefined ? null : await checkEndpoints(trx, given.endpoints);
        const [same] = inForce(await readKeys(trx, given.name), store.now());
        if (same !== undefined) {
          const sentence = `there is a key "${given.name}" already (hr_${same.id}). \`headrace keys rotate ${given.name}\` makes its successor.`;
          throw new HeadraceError('HR_CONFLICT', sentence);
        }
        const { key, secret, token } = made({ name: given.name, roles, endpoints }, given.lifeMicros ?? null, by.actor);
        await insert(trx, key, secret);
        await record({ after: key });
        return { key, token };
      }),
    rotate: (nameOrId, graceMicros, by) =>
      change({ ...by, action: 'key.rotate', object: objectOf(nameOrId) }, async (trx, record) => {
        const all = await findKeys(trx, nameOrId);
        const [named] = inForce(all, store.now());
        if (named === undefined) throw await unknownKey(trx, calledOf(nameOrId), all.length > 0);
        const [former = named, other] = inForce(await readKeys(trx, named.name), store.now());
        if (other !== undefined) {
          const sentence = `two keys "${former.name}" are in force, hr_${former.id} and hr_${other.id}: a rotation is under way. Revoke one by its id first.`;
          throw new HeadraceError('HR_CONFLICT', sentence);
        }
        const life = former.expiresMicros === null ? null : former.expiresMicros - former.createdMicros;
        const { key, secret, token } = made(former, life, by.actor);
        const expiresMicros = Math.min(former.expiresMicros ?? Infinity, store.now() + graceMicros);
        await insert(trx, key, secret);
        await trx.updateTable('registry_keys').set({ expires_at: expiresMicros }).where('id', '=', former.id).execute();
        const ending = { ...former, expiresMicros };
        await record({ before: shown(former), after: [shown(ending), key] });
        return { key, token, former: shown(ending) };
      }),
    revoke: (nameOrId, by) =>
      change({ ...by, action: 'key.revoke', object: objectOf(nameOrId) }, async (trx, record) => {
        const all = await findKeys(trx, nameOrId);
        const ended = inForce(all, store.now());
        if (ended.length === 0) throw await unknownKey(trx, calledOf(nameOrId), all.length > 0);
        const ids = ended.map((key) => key.id);
        const revokedMicros = store.now();
        await trx.updateTable('registry_keys').set({ revoked_at: revokedMicros }).where('id', 'in', ids).execute();
        const after = ended.map((key) => ({ ...shown(key), revokedMicros }));
        await record({ before: ended.map(shown), after });
        return after;
      }),
    list: () => readKeys(store.db),
    async markUsed(used) {
      for (const [id, at] of used)
        await store.db
          .updateTable('registry_keys')
          .set({ used_at: at })
          .where('id', '=', id)
          .where((row) => row.or([row('used_at', 'is', null), row('used_at', '<', at)]))
          .execute();
    },
  };
}

/** Neither revoked nor past its time. */
export function isInForce({ expiresMicros, revokedMicros }: AccessKey, nowMicros: Micros): boolean {
  return revokedMicros === null && (expiresMicros === null || expiresMicros > nowMicros);
}

function inForce(keys: readonly HashedKey[], nowMicros: Micros): HashedKey[] {
  return keys.filter((key) => isInForce(key, nowMicros));
}

async function readKeys(db: RegistryDb, name?: string, id?: string): Promise<HashedKey[]> {
  let query = db.selectFrom('registry_keys').selectAll().orderBy('name').orderBy('created_at', 'desc').orderBy('id');
  if (name !== undefined) query = query.where('name', '=', name);
  if (id !== undefined) query = query.where('id', '=', id);
  return (await query.execute()).map(toKey);
}

// A whole key may be pasted, too: its secret goes nowhere.
function idOf(nameOrId: string): string | undefined {
  return /^hr_([0-9a-z]+)/.exec(nameOrId)?.[1];
}

function calledOf(nameOrId: string): string {
  const id = idOf(nameOrId);
  return id === undefined ? nameOrId : `hr_${id}`;
}

/** All of a name, or the one of an id: a name may look like an id, and goes first. */
async function findKeys(db: RegistryDb, nameOrId: string): Promise<HashedKey[]> {
  const id = idOf(nameOrId);
  const named = id === undefined ? await readKeys(db, nameOrId) : [];
  return named.length > 0 ? named : readKeys(db, undefined, id ?? nameOrId);
}

function toKey(row: Row): HashedKey {
  return {
    id: row.id,
    name: row.name,
    secretHash: row.secret_hash,
    // Written from values of these types; a role that another version of Headrace knows is not taken.
    roles: (parseJson(row.roles) as Json[]).filter(isRole),
    endpoints: row.endpoints === null ? null : (parseJson(row.endpoints) as string[]),
    createdMicros: row.created_at,
    createdBy: row.created_by,
    expiresMicros: row.expires_at,
    revokedMicros: row.revoked_at,
    usedMicros: row.used_at,
  };
}

/** As it may be repeated: a whole key is pasted where a name belongs. */
function cited(text: string): string {
  return withoutKeySecrets(text).slice(0, 80);
}

/** The audit log's word for a key of that name or id. */
function objectOf(nameOrId: string): string {
  return `key/${cited(calledOf(nameOrId))}`;
}

/** Without the hash: what may be shown and kept in the audit log. */
function shown({ secretHash: _hidden, ...key }: HashedKey): AccessKey {
  return key;
}

function isRole(value: unknown): value is Role {
  return (ROLES as readonly unknown[]).includes(value);
}

function checkRoles(roles: readonly string[]): readonly Role[] {
  const unknown = roles.find((role) => !isRole(role));
  if (unknown !== undefined || roles.length === 0) {
    const came = unknown === undefined ? 'none' : `"${cited(unknown)}"`;
    throw new HeadraceError('HR_INVALID', `a key has one or more of the roles ${ROLES.join(', ')}; got ${came}.`);
  }
  return ROLES.filter((role) => roles.includes(role));
}

function checkName(name: string): void {
  if (/^[A-Za-z][\w.-]{0,62}$/.test(name) && !name.startsWith('hr_')) return;
  const sentence = `a key is named by letters, digits, "_", "." and "-", such as "checkout-service"; got "${cited(name)}".`;
  throw new HeadraceError('HR_INVALID', sentence);
}

async function checkEndpoints(trx: RegistryDb, names: readonly string[]): Promise<readonly string[]> {
  const rows = await trx.selectFrom('registry_endpoints').select('name').where('is_retired', '=', 0).execute();
  // Plain models are asked by the same right.
  const plain = await trx.selectFrom('registry_plain_versions').select('model').distinct().execute();
  const known = [...rows.map((row) => row.name), ...plain.map((row) => row.model)];
  for (const name of names) {
    if (known.includes(name)) continue;
    const sentence = `there is no endpoint "${cited(name)}".${didYouMeanOf('endpoints', name, known)}`;
    throw new HeadraceError('HR_UNKNOWN_ENDPOINT', sentence);
  }
  return [...new Set(names)].sort();
}

async function unknownKey(trx: RegistryDb, nameOrId: string, hasEnded: boolean): Promise<HeadraceError> {
  if (hasEnded) return new HeadraceError('HR_UNKNOWN_KEY', `key "${cited(nameOrId)}" has ended already.`);
  const names = [...new Set((await readKeys(trx)).map(({ name }) => name))];
  const sentence = `there is no key "${cited(nameOrId)}".${didYouMeanOf('keys', nameOrId, names)}`;
  return new HeadraceError('HR_UNKNOWN_KEY', sentence);
}
