// By which definitions each service is served: those that are applied, once all view versions that it reads are complete;
// until then the last applied ones for which they are. So a service moves at once, and no feature of it goes dark. One that
// never had such definitions answers with what there is.

import { type Manifest, resolveService, viewOfVersion, viewVersion } from '../../definitions/index.ts';
import type { ViewVersionRow } from './view-version-rows.ts';

export interface ServedService {
  readonly service: string;
  /** The apply whose definitions it is served by. */
  readonly revision: number;
  readonly manifestHash: string;
  /** Versions that the applied definitions read and that are not complete; empty when it is served by those. */
  readonly waitsFor: readonly string[];
  readonly state: ServiceState;
}

/**
 * `current`: all is complete. `waiting`: earlier definitions answer. `unfilled`: no run has filled what it reads, ever; it
 * answers with what there is. `unserved`: nothing answers.
 */
export type ServiceState = 'current' | 'waiting' | 'unfilled' | 'unserved';

export interface AppliedRevision {
  readonly revision: number;
  readonly hash: string;
}

/** The view versions that a service reads, each once. Throws HR_UNKNOWN_SERVICE. */
export function versionsRead(manifest: Manifest, service: string): readonly string[] {
  return [...new Set(resolveService(manifest, service).reads.map(({ view }) => viewVersion(manifest, view.name)))];
}

/**
 * Whether readers may take a version: a complete one; before any version of its view ever was complete the first that there
 * is, as nothing older could answer in its place. One that was removed and came back has to be filled first.
 */
export function readableVersions(kept: readonly ViewVersionRow[]): (version: string) => boolean {
  const readable = new Set<string>();
  for (const own of Map.groupBy(kept, ({ version }) => viewOfVersion(version)).values()) {
    const complete = own.filter(({ completedMicros }) => completedMicros !== null);
    const first = own.reduce((a, b) => (b.addedMicros < a.addedMicros ? b : a));
    const none = first.epoch === 1 ? [first] : [];
    for (const { version } of complete.length > 0 ? complete : none) readable.add(version);
  }
  return (version) => readable.has(version);
}

/** Further back nobody would look for what is served. */
const MOST_REVISIONS = 1000;

/** `revisions`: newest first, the applied one among them. `manifestOf` is asked only where a service can't move yet. */
export async function servedServices(
  current: { readonly manifest: Manifest } & AppliedRevision,
  revisions: readonly AppliedRevision[],
  kept: readonly ViewVersionRow[],
  manifestOf: (hash: string) => Promise<Manifest>,
): Promise<readonly ServedService[]> {
  const complete = new Set(
    kept.filter(({ completedMicros }) => completedMicros !== null).map(({ version }) => version),
  );
  const isComplete = (version: string): boolean => complete.has(version);
  const isReadable = readableVersions(kept);
  const reads = new Map(
    Object.keys(current.manifest.services).map((service) => [service, versionsRead(current.manifest, service)]),
  );
  const waiting = [...reads].filter(([, read]) => !read.every(isComplete)).map(([service]) => service);
  const earlier = await findEarlier(waiting);
  return [...reads].map(([service, read]): ServedService => {
    const waitsFor = read.filter((version) => !isComplete(version));
    const by = (state: ServiceState, { revision, hash }: AppliedRevision): ServedService => ({
      service,
      revision,
      manifestHash: hash,
      waitsFor,
      state,
    });
    if (waitsFor.length === 0) return by('current', current);
    const { filled, readable } = earlier.get(service) ?? {};
    if (filled !== undefined) return by('waiting', filled);
    if (read.every(isReadable)) return by('unfilled', current);
    return readable === undefined ? by('unserved', current) : by('waiting', readable);
  });

  /** One walk back for all that wait, each for as long as it was there without a break. */
  async function findEarlier(services: readonly string[]): Promise<ReadonlyMap<string, Earlier>> {
    const found = new Map<string, Earlier>();
    const searched = new Set(services);
    let seen = current.hash;
    for (const one of revisions.filter(({ revision }) => revision < current.revision).slice(0, MOST_REVISIONS)) {
      if (searched.size === 0) break;
      if (one.hash === seen) continue;
      seen = one.hash;
      const manifest = await manifestOf(one.hash);
      for (const service of searched) {
        if (!Object.hasOwn(manifest.services, service)) {
          searched.delete(service);
          continue;
        }
        const read = versionsRead(manifest, service);
        const known = found.get(service);
        if (read.every(isComplete)) {
          found.set(service, { ...known, filled: one });
          searched.delete(service);
        } else if (known === undefined && read.every(isReadable)) found.set(service, { readable: one });
      }
    }
    return found;
  }
}

/** The last revisions whose definitions can serve a service. */
interface Earlier {
  /** All that it reads is complete. */
  readonly filled?: AppliedRevision;
  /** All that it reads may be read. */
  readonly readable?: AppliedRevision;
}
