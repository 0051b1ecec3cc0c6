// Applying: the functions' bundles to the artifact store, then the manifest to the registry, whole or not at all; then a
// moment's wait for the servers that run to take it up. Killed at any step it leaves what was applied before.

import { setTimeout as sleep } from 'node:timers/promises';
import { HeadraceError } from '../core/index.ts';
import { functionsOf, type Manifest } from '../definitions/index.ts';
import {
  type Applied,
  type Apply,
  type ApplyOptions,
  type CodeOrigin,
  readableVersions,
  type ServerRow,
  versionsRead,
} from '../registry/index.ts';
import { getBlob, type ObjectStore, putBlob } from '../storage/index.ts';
import { isOlderCommit, readCodeOrigin } from './code-origin.ts';
import type { App } from './open-app.ts';

export interface ApplyRequest extends Pick<ApplyOptions, 'allowBreaking' | 'expectedRevision'> {
  /** Goes ahead from a commit that is older than what is applied. */
  readonly allowOlder?: boolean;
}

/** Applies the feature repository. Throws HR_DEFINITION, HR_BREAKING_CHANGE, HR_OLDER_COMMIT, HR_CONFLICT. */
export async function applyRepository(app: App, request: ApplyRequest): Promise<Applied> {
  const { manifest, bundles } = await app.repository();
  const { definitions } = await app.registry();
  const origin = await readCodeOrigin(app.config.values.repo, app.environment.variables);
  const { allowOlder = false, ...options } = request;
  if (!allowOlder) await refuseOlderCommit(app, origin);
  const objects = await app.objects();
  const codes = [...bundles.values()];
  for (let at = 0; at < codes.length; at += STORED_AT_ONCE) {
    await Promise.all(codes.slice(at, at + STORED_AT_ONCE).map((code) => putBlob(objects, Buffer.from(code))));
  }
  const lostBundles = await findLost(objects, (await definitions.current())?.manifest, manifest);
  return definitions.apply(manifest, { actor: app.environment.actor, origin, lostBundles, ...options });
}

/** Applied bundles of functions that are the same now by other bundles, and that the store no longer has whole. */
async function findLost(
  objects: ObjectStore,
  applied: Manifest | undefined,
  written: Manifest,
): Promise<ReadonlySet<string>> {
  const lost = new Set<string>();
  if (applied === undefined) return lost;
  const now = new Map(functionsOf(written).map((ref) => [ref.id, ref]));
  for (const { id, hash, bundle } of functionsOf(applied)) {
    const same = now.get(id);
    if (bundle === undefined || same?.hash !== hash || same.bundle === bundle) continue;
    try {
      await getBlob(objects, bundle);
    } catch (thrown) {
      if (!(thrown instanceof HeadraceError) || thrown.code !== 'HR_ARTIFACT_UNREADABLE') throw thrown;
      lost.add(bundle);
    }
  }
  return lost;
}

/** Throws HR_OLDER_COMMIT where the working copy stands at a commit that what is applied has left behind. */
export async function refuseOlderCommit(app: App, origin?: CodeOrigin): Promise<void> {
  const [last] = await (await app.registry()).definitions.history();
  const applied = last?.origin.commit;
  const { commit } = origin ?? (await readCodeOrigin(app.config.values.repo, app.environment.variables));
  if (last === undefined || commit === undefined || applied === undefined) return;
  if (!(await isOlderCommit(app.config.values.repo, commit, applied))) return;
  throw new HeadraceError(
    'HR_OLDER_COMMIT',
    `revision ${last.revision} was applied from commit ${applied.slice(0, 12)}, which comes after this one, ${commit.slice(0, 12)}. Update the working copy, or go back on purpose with \`headrace rollback\` or \`apply --allow-older\`.`,
  );
}

/** What was applied before, to be applied again. */
export interface Rollback {
  readonly target: Apply;
  readonly manifest: Manifest;
  /** The revision that it was found at. */
  readonly expectedRevision: number;
}

/**
 * What was applied as `revision`, the one before the last when left out, with all that it needs: no working copy. Throws
 * HR_UNKNOWN_REVISION, HR_CODE_MISSING, HR_CODE_ALTERED; HR_VERSION_INCOMPLETE where data of it is gone, with the command
 * that brings it back.
 */
export async function findRollback(app: App, revision: number | undefined): Promise<Rollback> {
  const registry = await app.registry();
  const history = await registry.definitions.history();
  const target = revision === undefined ? history[1] : history.find((one) => one.revision === revision);
  if (target === undefined) throw unknownRevision(revision, history);
  // With its functions: a bundle that is missing or altered is found here.
  const { manifest } = await app.definitionsOf(target.hash);
  const missing = await missingVersions(app, manifest);
  if (missing.length > 0) {
    throw new HeadraceError(
      'HR_VERSION_INCOMPLETE',
      `revision ${target.revision} reads ${missing.join(', ')}, whose records are gone or not complete. Bring them back with \`headrace materialize --incremental --views ${missing.join(',')}\`, then roll back again.`,
    );
  }
  return { target, manifest, expectedRevision: history[0]?.revision ?? 0 };
}

/** Throws HR_CONFLICT where anything was applied since. Going back is asked for, whatever it breaks for what came since. */
export async function rollBack(app: App, { target, manifest, expectedRevision }: Rollback): Promise<Applied> {
  const { definitions } = await app.registry();
  const { actor } = app.environment;
  return definitions.apply(manifest, {
    actor,
    origin: target.origin,
    allowBreaking: true,
    expectedRevision,
    isRestored: true,
  });
}

/** View versions that services of a manifest read and that can't be read now. */
async function missingVersions(app: App, manifest: Manifest): Promise<readonly string[]> {
  const { versions } = await app.registry();
  const isReadable = readableVersions(await versions.list());
  const read = Object.keys(manifest.services).flatMap((service) => versionsRead(manifest, service));
  return [...new Set(read)].filter((version) => !isReadable(version)).sort();
}

function unknownRevision(revision: number | undefined, history: readonly Apply[]): HeadraceError {
  const has = history.length === 0 ? 'nothing is applied yet' : `the last is ${history[0]?.revision}`;
  const sentence = revision === undefined ? 'there is no revision before this one' : `there is no revision ${revision}`;
  return new HeadraceError('HR_UNKNOWN_REVISION', `${sentence}; ${has}.`);
}

/** Waits until every server has loaded a revision, a moment at most; gives them as they are then. */
export async function waitForServers(
  app: App,
  revision: number,
  limitMs = SERVERS_LIMIT_MS,
): Promise<readonly ServerRow[]> {
  const { servers } = await app.registry();
  const deadline = performance.now() + limitMs;
  for (;;) {
    const all = await servers.list();
    const isDone = all.every((one) => (one.revision ?? 0) >= revision || one.failure !== null);
    if (isDone || performance.now() >= deadline) return all;
    await sleep(POLL_MS);
  }
}

const STORED_AT_ONCE = 16;
const SERVERS_LIMIT_MS = 3000;
const POLL_MS = 50;
