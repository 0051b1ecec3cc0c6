// Proof of where a model's nodes run: ONNX Runtime's own profile of one run, read back, and held against what was asked for.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HeadraceError, readProvider } from '../../core/index.ts';

/** A node that ran. */
export interface NodeRun {
  readonly name: string;
  /** Its operator. */
  readonly op: string;
  /** By the name that definitions have for it; ONNX Runtime's own where they have none. */
  readonly provider: string;
  /**
   * It computes sizes and places: whole numbers and truth values in and out, nothing else. A provider of another device leaves
   * such nodes to the CPU by design, where the sizes are needed.
   */
  readonly isOfShapes: boolean;
}

/** How many nodes ran where. */
export type NodesByProvider = Readonly<Record<string, number>>;

/** Where a session writes its profile: a folder of its own, made for it. */
export interface Profile {
  readonly prefix: string;
  /** Once the session has ended it. Undefined where it wrote none, or a longer one than is read. */
  read(): readonly NodeRun[] | undefined;
  /** Removes it. */
  discard(): void;
}

/** A loop of a million rounds writes one line for each. */
const MOST_BYTES = 64 * 2 ** 20;

/** Undefined where no file can be written. */
export function openProfile(): Profile | undefined {
  let folder: string;
  try {
    folder = mkdtempSync(join(tmpdir(), 'headrace-profile-'));
  } catch {
    return undefined;
  }
  return {
    prefix: join(folder, 'run'),
    read() {
      try {
        const [file] = readdirSync(folder);
        if (file === undefined || statSync(join(folder, file)).size > MOST_BYTES) return undefined;
        return readNodes(readFileSync(join(folder, file), 'utf8'));
      } catch {
        // A disk that is full cuts it short.
        return undefined;
      }
    },
    discard: () => rmSync(folder, { recursive: true, force: true }),
  };
}

interface ProfileEvent {
  readonly cat?: unknown;
  readonly name?: unknown;
  readonly args?: {
    readonly op_name?: unknown;
    readonly provider?: unknown;
    readonly node_index?: unknown;
    /** A record for each tensor: its type, and its shape. */
    readonly input_type_shape?: unknown;
    readonly output_type_shape?: unknown;
  };
}

const BY_ORT_NAME: Readonly<Record<string, string>> = {
  CPUExecutionProvider: 'cpu',
  CUDAExecutionProvider: 'cuda',
  TensorrtExecutionProvider: 'tensorrt',
  WebGpuExecutionProvider: 'webgpu',
  DmlExecutionProvider: 'dml',
  CoreMLExecutionProvider: 'coreml',
};
/** Puts tensors from one device to another, where the runtime found that it has to. */
const COPIES: ReadonlySet<unknown> = new Set(['MemcpyFromHost', 'MemcpyToHost']);
const KERNEL = '_kernel_time';

/** Each node once, however often it ran. Throws for text that is no profile. */
export function readNodes(profile: string): NodeRun[] {
  const events = parseEvents(profile);
  if (!Array.isArray(events)) throw new TypeError('a profile is a list of events');
  const nodes = new Map<string, NodeRun>();
  for (const { cat, name, args = {} } of events as readonly ProfileEvent[]) {
    const { op_name: op, provider, node_index: index } = args;
    if (cat !== 'Node' || typeof name !== 'string' || typeof op !== 'string' || typeof provider !== 'string') continue;
    if (!name.endsWith(KERNEL) || COPIES.has(op)) continue;
    const types = [...typesOf(args.input_type_shape), ...typesOf(args.output_type_shape)];
    nodes.set(`${String(index)} ${name}`, {
      name: name.slice(0, -KERNEL.length),
      op,
      provider: BY_ORT_NAME[provider] ?? provider,
      isOfShapes: types.length > 0 && types.every((type) => /^u?int|^bool$/.test(type)),
    });
  }
  return [...nodes.values()];
}

/** An event's name, up to where its arguments begin. */
const NAME = /("name" ?: ?")(.*?)(", ?"args" ?: ?\{)/gs;

/** The runtime writes nodes' names as the file has them: one with a quote or a backslash in it makes all of the profile no JSON. */
function parseEvents(profile: string): unknown {
  try {
    return JSON.parse(profile);
  } catch {
    return JSON.parse(
      profile.replaceAll(NAME, (_, before: string, name: string, after: string) => {
        return before + JSON.stringify(name).slice(1, -1) + after;
      }),
    );
  }
}

function typesOf(tensors: unknown): string[] {
  return Array.isArray(tensors) ? tensors.flatMap((tensor) => Object.keys(tensor as object)) : [];
}

/**
 * Counts nodes by provider. Throws HR_UNSUPPORTED where they did not run as the providers, in order, say:
 *
 * - the first has to have run some,
 * - nothing runs on one that isn't named,
 * - and of all nodes but those of shapes at most `1 - leastShare` run on the CPU where it is named last, after another.
 *
 * `nodes`: undefined where there is no profile, which is no proof unless everything is allowed.
 */
export function proveProviders(
  nodes: readonly NodeRun[] | undefined,
  providers: readonly string[],
  leastShare: number,
): NodesByProvider | undefined {
  const names = providers.map((provider) => readProvider(provider)?.name ?? provider);
  const [first = 'cpu'] = names;
  if (nodes === undefined || nodes.length === 0) {
    // Nothing but the CPU was given to the session: there is nothing to prove.
    if (first === 'cpu' || leastShare === 0) return undefined;
    throw misplaced(
      `nothing shows whether it runs on "${first}": one row of sizes that fit was not to be made, or no profile could be written to the folder for temporary files`,
    );
  }
  const byProvider: Record<string, number> = {};
  for (const { provider } of nodes) byProvider[provider] = (byProvider[provider] ?? 0) + 1;
  if (leastShare === 0) return byProvider;
  const strays = nodes.filter(({ provider }) => !names.includes(provider));
  if (strays.length > 0)
    throw misplaced(
      `${count(strays.length, nodes.length)} ran elsewhere than on ${names.join(', ')}: ${list(strays)}. Name ${[...new Set(strays.map(({ provider }) => `"${provider}"`))].join(', ')} last in its providers, where that is meant`,
    );
  if (byProvider[first] === undefined)
    throw misplaced(`none of its ${nodes.length} nodes ran on "${first}", the first of its providers: ${list(nodes)}`);
  if (first === 'cpu') return byProvider;
  const counted = nodes.filter(({ provider, isOfShapes }) => provider !== 'cpu' || !isOfShapes);
  const fallen = counted.filter(({ provider }) => provider === 'cpu');
  if ((counted.length - fallen.length) / counted.length < leastShare)
    throw misplaced(
      `${count(fallen.length, counted.length)} fell to the CPU: ${list(fallen)}. models.providerShare wants ${leastShare} of them on ${names.filter((name) => name !== 'cpu').join(', ')}`,
    );
  return byProvider;
}

const MOST_NAMED = 5;

function list(nodes: readonly NodeRun[]): string {
  const named = nodes
    .slice(0, MOST_NAMED)
    .map(({ op, name, provider }) => `${op} "${name.slice(0, 80)}" on ${provider}`);
  return `${named.join(', ')}${nodes.length > MOST_NAMED ? ` and ${nodes.length - MOST_NAMED} more` : ''}`;
}

function count(some: number, all: number): string {
  return `${some} of its ${all} nodes`;
}

function misplaced(what: string): HeadraceError {
  return new HeadraceError(
    'HR_UNSUPPORTED',
    `the model does not run where its providers say: ${what}. Let it run on "cpu", or lower models.providerShare.`,
  );
}
