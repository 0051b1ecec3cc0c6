// A list of objects of the cluster, kept as it changes: listed once, then watched from that version on, and listed anew where the
// server no longer has it (410 Gone) or the connection broke in a way that may have swallowed something.

import type { Logger } from '../../../core/index.ts';
import { messageOf } from '../../../core/index.ts';
import { pause } from '../cluster/patient.ts';
import { ApiRefusal, type KubernetesApi } from './api.ts';

interface Listed {
  readonly metadata?: { readonly name?: string; readonly resourceVersion?: string };
}

export interface FollowedList<T> {
  readonly now: ReadonlyMap<string, T>;
  /** Once it has been listed after this call. */
  fresh(): Promise<void>;
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
const AGAIN_MS = 500;

export function followList<T extends Listed>({
  api,
  path,
  logger,
  signal,
  onChange,
  onGone,
}: FollowOptions<T>): FollowedList<T> {
  const now = new Map<string, T>();
  let waiting: (() => void)[] = [];
  let listedOnce = false;

  const list = async (): Promise<string> => {
    const asked = waiting;
    waiting = [];
    const found = new Map<string, T>();
    let version = '';
    let next = '';
    try {
      do {
        const more = next === '' ? '' : `&continue=${encodeURIComponent(next)}`;
        const page = (await api.ask('GET', `${path}&limit=${PAGE}${more}`)) as Page<T>; // as the API answers a list
        for (const item of page.items) found.set(nameOf(item), item);
        version = page.metadata.resourceVersion ?? '';
        next = page.metadata.continue ?? '';
      } while (next !== '');
    } catch (error) {
      waiting = [...asked, ...waiting];
      throw error;
    }
    for (const [name, last] of now) if (!found.has(name)) remove(name, last);
    for (const [name, item] of found) set(name, item);
    listedOnce = true;
    for (const tell of asked) tell();
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
    while (!signal.aborted) {
      try {
        version = version === undefined || waiting.length > 0 ? await list() : version;
        version = await watch(version);
      } catch (error) {
        if (signal.aborted) return;
        version = undefined;
        const isGone = error instanceof ApiRefusal && error.status === 410;
        if (!isGone) {
          logger.warn({ error: messageOf(error) }, 'what is followed in Kubernetes is listed anew');
          await pause(AGAIN_MS * (1 + Math.random()), signal);
        }
      }
    }
  };
  void follow();
  return {
    now,
    async fresh() {
      if (listedOnce) return;
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    },
  };
}

function nameOf({ metadata }: Listed): string {
  return metadata?.name ?? '';
}
