// A list of objects of the cluster, kept as it changes: listed once, then watched from that version on, and listed anew where the
// server no longer has it (410 Gone) or the connection broke in a way that may have swallowed something.

import { HeadraceError, type Logger, messageOf } from '../../../core/index.ts';
import { pause } from '../cluster/patient.ts';
import { ApiRefusal, type KubernetesApi } from './api.ts';

interface Listed {
  readonly metadata?: { readonly name?: string; readonly resourceVersion?: string };
}

export interface FollowedList<T> {
  readonly now: ReadonlyMap<string, T>;
  /** Once it has been listed, however long ago. Throws HR_CONFIG where that is refused, HR_SERVER_UNREACHABLE where it was given up. */
  listed(): Promise<void>;
}

export interface FollowOptions<T> {
  readonly api: KubernetesApi;
  /** With its query, without a version: `/api/v1/namespaces/ml/pods?labelSelector=…`. */
  readonly path: string;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  onChange(name: string, one: T): void;
  onGone(name: string, last: T): void;
}

interface Page<T> {
  readonly items: readonly T[];
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
}

const PAGE = 500;
const WATCH_SECONDS = 240;
const FIRST_MS = 500;
const MOST_MS = 15_000;
/** A watch that ended sooner is begun again only after a while. */
const SHORT_MS = 1000;

export function followList<T extends Listed>(options: FollowOptions<T>): FollowedList<T> {
  const { api, path, logger, signal, onChange, onGone } = options;
  const now = new Map<string, T>();
  let isListed = false;
  const waiting: PromiseWithResolvers<void>[] = [];
  const tellWaiting = (error?: unknown): void => {
    for (const { resolve, reject } of waiting.splice(0))
      if (error === undefined) resolve();
      else reject(error);
  };
  signal.addEventListener('abort', () => tellWaiting(), { once: true });

  const list = async (): Promise<string> => {
    const found = new Map<string, T>();
    let version = '';
    let next = '';
    do {
      const more = next === '' ? '' : `&continue=${encodeURIComponent(next)}`;
      const page = (await api.ask('GET', `${path}&limit=${PAGE}${more}`)) as Page<T>; // as the API answers a list
      for (const item of page.items) found.set(nameOf(item), item);
      version = page.metadata.resourceVersion ?? '';
      next = page.metadata.continue ?? '';
    } while (next !== '');
    for (const [name, last] of now) if (!found.has(name)) remove(name, last);
    for (const [name, item] of found) set(name, item);
    isListed = true;
    tellWaiting();
    return version;
  };

  const set = (name: string, item: T): void => {
    now.set(name, item);
    onChange(name, item);
  };
  const remove = (name: string, last: T): void => {
    now.delete(name);
    onGone(name, last);
  };

  /** Gives the version to go on from; undefined where it must be listed anew. */
  const watch = async (from: string): Promise<string | undefined> => {
    let version: string | undefined = from;
    const query = `&watch=true&allowWatchBookmarks=true&timeoutSeconds=${WATCH_SECONDS}&resourceVersion=${from}`;
    await api.stream(path + query, (line) => {
      const { type, object } = JSON.parse(line) as { readonly type: string; readonly object: T }; // as the API answers a watch
      if (type === 'ERROR') version = undefined;
      else if (version !== undefined) version = object.metadata?.resourceVersion ?? version;
      if (type === 'ADDED' || type === 'MODIFIED') set(nameOf(object), object);
      else if (type === 'DELETED') remove(nameOf(object), object);
    });
    return version;
  };

  const follow = async (): Promise<void> => {
    let version: string | undefined;
    let waitMs = 0;
    while (!signal.aborted) {
      await pause((waitMs * (1 + Math.random())) / 2, signal);
      const sinceMs = performance.now();
      try {
        version ??= await list();
        version = await watch(version);
      } catch (error) {
        if (signal.aborted) return;
        version = undefined;
        // 410: what it was to go on from is too old.
        if (!(error instanceof ApiRefusal && error.status === 410)) {
          tellWaiting(refusalOf(error, path));
          logger.warn({ error: messageOf(error) }, 'what is followed in Kubernetes is listed anew');
        }
      }
      const isShort = performance.now() - sinceMs < SHORT_MS;
      if (isShort) waitMs = Math.min(Math.max(2 * waitMs, FIRST_MS), MOST_MS);
      else waitMs = version === undefined ? FIRST_MS : 0;
    }
  };
  void follow();
  return {
    now,
    async listed() {
      if (isListed || signal.aborted) return;
      const one = Promise.withResolvers<void>();
      waiting.push(one);
      await one.promise;
    },
  };
}

function refusalOf(error: unknown, path: string): unknown {
  if (!(error instanceof ApiRefusal)) return error;
  const [what] = path.split('?');
  return new HeadraceError(
    'HR_CONFIG',
    `Kubernetes does not let ${what} be listed and watched, which is how runs are followed: ${error.message}; grant it to whoever drives runs`,
  );
}

function nameOf({ metadata }: Listed): string {
  return metadata?.name ?? '';
}
