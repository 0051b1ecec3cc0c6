// What pure functions, those of sources and on-demand views, may use: the same rules hold where their code is read and
// where it runs.

/** Node's modules that give the same for the same. */
const PURE_BUILTINS: ReadonlySet<string> = new Set([
  'node:assert',
  'node:assert/strict',
  'node:buffer',
  'node:path',
  'node:path/posix',
  'node:path/win32',
  'node:punycode',
  'node:querystring',
  'node:string_decoder',
  'node:url',
  'node:util',
  'node:util/types',
]);

/** Of node:crypto, what has no chance in it. */
export const PURE_OF_CRYPTO: ReadonlySet<string> = new Set(['createHash', 'createHmac', 'hash']);

/** Whether a pure function may use what Node's module has under a name; `*` is the whole module. */
export function isPureBuiltin(from: string, name: string): boolean {
  return PURE_BUILTINS.has(from) || (from === 'node:crypto' && PURE_OF_CRYPTO.has(name));
}

/** Names that mean nothing in a pure function: it finds `undefined` there. What else it may not use is found in its text. */
export const SHADOWED: readonly string[] = [
  'BroadcastChannel',
  'EventSource',
  'MessageChannel',
  'MessagePort',
  'WebSocket',
  'XMLHttpRequest',
  '__dirname',
  '__filename',
  'caches',
  'clearImmediate',
  'clearInterval',
  'clearTimeout',
  'crypto',
  'fetch',
  'global',
  'localStorage',
  'navigator',
  'performance',
  'process',
  'queueMicrotask',
  'sessionStorage',
  'setImmediate',
  'setInterval',
  'setTimeout',
];

/** Under this name a bundle asks for the search of a function in objects of the authoring API. */
export const FINDER = 'headrace:find-function';

/** What a bundle is called with. */
export const PARAMETERS: readonly string[] = ['module', 'exports', 'require'];
