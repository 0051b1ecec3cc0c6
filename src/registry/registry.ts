// The registry: what is defined, in which version, which models exist, and which of them each endpoint serves.

import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/index.ts';
import type { Database } from '../storage/index.ts';
import { type AccessKeys, createAccessKeys } from './access-keys.ts';
import { type AuditLog, createAuditLog } from './audit-log.ts';
import { createDefinitionsRegistry, type DefinitionsRegistry } from './definitions/definitions-registry.ts';
import { createEndpointRegistry, type EndpointRegistry } from './endpoints.ts';
import { createModelRegistry, type ModelRegistry } from './models.ts';
import { createPlainModelRegistry, type PlainModelRegistry } from './plain-models.ts';
import { addPlainModels } from './plain-schema.ts';
import {
  addCandidates,
  addRollouts,
  addRowDependence,
  addTrafficChanges,
  keysMigration,
  registryMigrations,
} from './schema.ts';
import { createRegistryStore, type RegistryDb } from './store.ts';
import { createServers, type Servers } from './versions/servers.ts';
import { createViewVersions, keepEarlierPins, keepFirstVersions, type ViewVersions } from './versions/view-versions.ts';

export interface Registry {
  readonly definitions: DefinitionsRegistry;
  readonly models: ModelRegistry;
  readonly plainModels: PlainModelRegistry;
  readonly endpoints: EndpointRegistry;
  readonly versions: ViewVersions;
  readonly servers: Servers;
  readonly keys: AccessKeys;
  readonly auditLog: AuditLog;
  /** Grows with every change that anyone commits; one row by its key, cheap to poll. */
  changeToken(): Promise<number>;
}

/** Opens the registry in a database, making or migrating its tables. `newSalt` makes an endpoint's assignment salt. */
export async function openRegistry(
  opened: Database,
  clock: Clock,
  newSalt: () => string = () => randomBytes(8).toString('hex'),
): Promise<Registry> {
  const database = await opened.migrate('registry', [
    ...registryMigrations,
    // The tables are those of the migrations before.
    { name: '0003-first-view-versions', up: (db) => keepFirstVersions(db as RegistryDb, clock.nowMicros()) },
    { name: '0004-pinned-view-versions', up: (db) => keepEarlierPins(db as RegistryDb, clock.nowMicros()) },
    keysMigration,
    { name: '0006-traffic-changes', up: addTrafficChanges },
    { name: '0007-rollouts', up: addRollouts },
    { name: '0008-rollouts-candidates', up: addCandidates },
    { name: '0009-plain-models', up: addPlainModels },
    { name: '0010-row-dependence', up: addRowDependence },
  ]);
  const store = createRegistryStore(database, clock);
  const servers = createServers(store);
  return {
    definitions: createDefinitionsRegistry(store, newSalt),
    models: createModelRegistry(store),
    plainModels: createPlainModelRegistry(store),
    endpoints: createEndpointRegistry(store, servers),
    versions: createViewVersions(store),
    servers,
    keys: createAccessKeys(store),
    auditLog: createAuditLog(store),
    changeToken: async () => (await store.state(store.db)).change_token,
  };
}
