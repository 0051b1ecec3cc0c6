// Makes definitions of a manifest and the bundles that it names: no repository is needed.

import { HeadraceError, type LastUsed, sha256Hex } from '../../core/index.ts';
import { titleOf } from '../function-id.ts';
import type { Definitions, FunctionRef, Manifest, UserFunction } from '../manifest.ts';
import { evaluateBundle } from './evaluate-bundle.ts';
import { functionsOf } from './manifest-functions.ts';

export interface LoadBundledOptions {
  /** What relative paths of sources and pipelines start from. */
  readonly directory: string;
  /** The content of a bundle by its SHA-256: `getBlob` of the artifact store. */
  readonly getBundle: (hash: string) => Promise<string | Uint8Array>;
  /** Which store that is, for messages: its URL as it may be shown. */
  readonly store?: string;
  /** Which functions are wanted, by id. Default: all. A server runs no tasks. */
  readonly only?: (id: string) => boolean;
  /** Functions of other loads, which one that gives it again shares: one that is being fetched, too. It may forget. */
  readonly cache?: Pick<LastUsed<string, Promise<LoadedBundle>>, 'get' | 'set' | 'delete'>;
}

/** A bundle that was fetched, checked and run. */
export interface LoadedBundle {
  readonly code: string;
  readonly fn: UserFunction;
}

/**
 * The definitions of an applied manifest, whose hash is `hash`, with its functions from their bundles. Each bundle is
 * fetched once, and checked. Throws HR_CODE_MISSING when the manifest names none or the store does not give it, and
 * HR_CODE_ALTERED when a bundle is not what its name says.
 */
export async function loadBundled(manifest: Manifest, hash: string, options: LoadBundledOptions): Promise<Definitions> {
  const { directory, only = () => true, cache = new Map<string, Promise<LoadedBundle>>() } = options;
  const refs = functionsOf(manifest).filter(({ id }) => only(id));
  const wanted = new Map(refs.map((ref) => [bundleOf(ref), ref]));
  const load = (bundle: string, ref: FunctionRef): Promise<LoadedBundle> => {
    const known = cache.get(bundle);
    if (known !== undefined) return known;
    const loading = fetchBundle(ref, bundle, options).then((code) => run(ref, code));
    cache.set(bundle, loading);
    loading.catch(() => cache.delete(bundle));
    return loading;
  };
  const bundles = new Map(
    await Promise.all([...wanted].map(async ([bundle, ref]) => [bundle, await load(bundle, ref)] as const)),
  );
  // Every bundle was loaded above.
  const loaded = (ref: FunctionRef): LoadedBundle => bundles.get(bundleOf(ref)) as LoadedBundle;
  return {
    manifest,
    hash,
    directory,
    functions: new Map(refs.map((ref) => [ref.id, loaded(ref).fn])),
    bundles: new Map(refs.map((ref) => [bundleOf(ref), loaded(ref).code])),
  };
}

function bundleOf(ref: FunctionRef): string {
  if (ref.bundle !== undefined) return ref.bundle;
  throw new HeadraceError(
    'HR_CODE_MISSING',
    `${titleOf(ref.id)} was applied without its code, by an earlier version. Run \`headrace apply\` from the repository again.`,
  );
}

async function fetchBundle(
  ref: FunctionRef,
  bundle: string,
  { getBundle, store }: Pick<LoadBundledOptions, 'getBundle' | 'store'>,
): Promise<string> {
  let content: string | Uint8Array;
  try {
    content = await getBundle(bundle);
  } catch (thrown) {
    // Anything else is of the store's making, and says so by itself.
    if (!(thrown instanceof HeadraceError) || thrown.code !== 'HR_ARTIFACT_UNREADABLE') throw thrown;
    throw new HeadraceError(
      'HR_CODE_MISSING',
      `the code of ${titleOf(ref.id)} can't be had from the artifact store${store === undefined ? '' : ` (${store})`}: ${thrown.message}. Put it back there, or run \`headrace apply\` from the repository again, as it was then.`,
      { cause: thrown },
    );
  }
  if (sha256Hex(content) === bundle) return typeof content === 'string' ? content : Buffer.from(content).toString();
  throw new HeadraceError(
    'HR_CODE_ALTERED',
    `the code of ${titleOf(ref.id)} is not what was applied: its bundle ${bundle.slice(0, 12)} has another content. It is not run. Run \`headrace apply\` from the repository again.`,
  );
}

function run({ id }: FunctionRef, code: string): LoadedBundle {
  const fn = evaluateBundle(id, code);
  if (fn === undefined)
    throw new HeadraceError('HR_CODE_ALTERED', `the bundle of ${titleOf(id)} holds no function. It is not run.`);
  return { code, fn };
}
