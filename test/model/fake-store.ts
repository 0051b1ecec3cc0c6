// An online store of several nodes, each with a replica that has what it was waited for, and no more for sure. Commands of
// a connection are done in order; one that was sent may be done after its sender has given it up, or died.

import { HeadraceError } from '../../src/core/index.ts';
import { NotDurable } from '../../src/online/claims.ts';
import { isOfOtherLog } from '../../src/online/part-number.ts';
import type {
  BaseWrite,
  Claim,
  ClaimPlace,
  OnlineStore,
  PartId,
  PartWrite,
  RecordRef,
  RunLink,
  StoredPart,
  StoredRecord,
  StoreRun,
  StoreWriter,
  WriterLink,
} from '../../src/online/online-store.ts';
import type { Random } from '../support/chance.ts';
import type { Owner, Step, Steps } from './steps.ts';

/** Rules of the protocol that the store keeps; a history may leave one out. */
export interface StoreRules {
  /** A claim counts once the replica has it. */
  readonly waitsForReplica: boolean;
  /** Also where the replica is away: then it counts not at all. */
  readonly promisesReplica: boolean;
  /** The greater number of a part stays. */
  readonly keepsGreater: boolean;
  /** Earlier connections of a writer or a version are cut off before a later one writes. */
  readonly fences: boolean;
  /** Parts go after the base that counts them. */
  readonly basesFirst: boolean;
}

type KeptPart = StoredPart & { readonly holder: number; readonly n: number };

interface Kept {
  base: Uint8Array | undefined;
  readonly parts: Map<string, KeptPart>;
}

interface State {
  readonly records: Map<string, Kept>;
  readonly claims: Map<string, Claim>;
  /** Places that were given up: they hold nothing, whenever their claim comes. */
  readonly released: Set<string>;
  /** Places whose claims may be forgotten once their retention is over. */
  readonly ends: Set<string>;
  readonly marks: Map<string, number>;
  /** The greatest numbers that it has seen, and which writer has its. */
  readonly notes: { writer: number; token: string | undefined; run: number };
}

type Command<T = unknown> = (state: State) => T;

interface Connection {
  readonly node: FakeNode;
  readonly owner: Owner;
  readonly writer?: { readonly number: number; readonly holder: number };
  /** Another writer has its number. */
  isTaken?: boolean;
  readonly run?: { readonly version: string; readonly number: number };
  isAlive: boolean;
}

export interface FakeNode {
  readonly name: string;
  state: State;
  /** All that was done, in order: what a failover begins anew from. */
  done: Command[];
  /** So many of them the replica has for sure. */
  replicated: number;
  readonly connections: Set<Connection>;
  /** Sent, given up, and perhaps still done. */
  late: { readonly connection: Connection; readonly command: Command }[];
  readonly links: Set<() => void>;
  isReplicaAway: boolean;
  /** Counts failovers. */
  generation: number;
  /** Run → the generation in which it was marked last. */
  readonly markedIn: Map<number, number>;
}

const newState = (): State => ({
  records: new Map(),
  claims: new Map(),
  released: new Set(),
  ends: new Set(),
  marks: new Map(),
  notes: { writer: 0, token: undefined, run: 0 },
});
const lost = (why: string): HeadraceError => new HeadraceError('HR_ONLINE_UNAVAILABLE', why);
const busy = (): HeadraceError => new HeadraceError('HR_MATERIALIZE_BUSY', 'a later run has the version');
const recordId = ({ entity, key, version }: RecordRef): string =>
  `${entity} ${Buffer.from(key).toString('hex')} ${version}`;
const placeId = ({ id, writer, offset }: ClaimPlace): string => `${id} ${writer} ${offset}`;
const partId = ({ writer, cut, boundary }: PartId): string => `${writer} ${cut} ${boundary}`;

function keptOf(state: State, ref: RecordRef): Kept {
  const id = recordId(ref);
  let kept = state.records.get(id);
  if (kept === undefined) state.records.set(id, (kept = { base: undefined, parts: new Map() }));
  return kept;
}

export class FakeStore {
  readonly #steps: Steps;
  readonly #random: Random;
  readonly #rules: StoreRules;
  readonly nodes: readonly FakeNode[];
  /** What its clock says. */
  nowMicros: number;
  /** How many commands were done. */
  changes = 0;
  /** Commands, in the order of their sending, of each step that waits. */
  readonly #sent = new Map<Step['work'], { readonly connection: Connection; readonly command: Command }>();

  constructor(steps: Steps, random: Random, rules: StoreRules, nodeCount: number, nowMicros: number) {
    this.nowMicros = nowMicros;
    this.#steps = steps;
    this.#random = random;
    this.#rules = rules;
    this.nodes = Array.from({ length: nodeCount }, (_, i) => ({
      name: `node ${i}`,
      state: newState(),
      done: [],
      replicated: 0,
      connections: new Set(),
      late: [],
      links: new Set(),
      isReplicaAway: false,
      generation: 0,
      markedIn: new Map(),
    }));
  }

  /** A process's own way into the store. */
  of(owner: Owner): OnlineStore {
    return {
      read: (refs) => refs.map((ref) => this.#read(ref)),
      readRows: (wanted, rows, taker) => {
        for (const [row, keys] of rows.entries()) {
          for (const [place, one] of wanted.entries()) {
            const key = keys[place];
            const record = key === undefined ? undefined : this.#read({ ...one, key });
            if (record !== undefined) taker.record(row, place, record);
          }
        }
      },
      scan: () => {
        throw new Error('nothing scans here');
      },
      marks: async (version, only) =>
        this.nodes
          .filter(({ name }) => only === undefined || name === only)
          .map(({ name, state }) => ({ node: name, run: state.marks.get(version) })),
      notes: async () => {
        const greatest = (of: (state: State) => number) => Math.max(...this.nodes.map(({ state }) => of(state)));
        const [writer, run] = [greatest(({ notes }) => notes.writer), greatest(({ notes }) => notes.run)];
        return { registries: [], writer, run };
      },
      guards: async () => [],
      adopt: () => Promise.reject(new Error('nothing is adopted here')),
      expectRegistry: async () => {},
      writer: (link) => this.#openWriter(owner, link),
      fenceWriter: async (writer, holder) => {
        for (const node of this.nodes) {
          await this.#steps.wait(owner, 'fence a writer', () =>
            this.#cutOff(node, (one) => one.writer?.number === writer && one.writer.holder < holder),
          );
        }
      },
      run: (link) => this.#openRun(owner, link),
      nowMicros: () => this.nowMicros,
      removeExpired: async () => 0,
      close: async () => {},
    };
  }

  /** A node's replica takes over: what it did not have for sure may be gone, the latest first. */
  failOver(node: FakeNode): void {
    const lostCommands = this.#random.between(0, node.done.length - node.replicated + 1);
    node.done = node.done.slice(0, node.done.length - lostCommands);
    node.state = newState();
    for (const command of node.done) command(node.state);
    node.replicated = node.done.length;
    node.late = [];
    node.generation++;
    this.#cutOff(node, () => true);
    // Those that are still there connect again, in no set order.
    for (const connect of node.links) connect();
  }

  /** A connection ends; what was sent on it may still be done. */
  dropConnection(): boolean {
    const live = this.nodes.flatMap(({ connections }) => [...connections]).filter(({ writer }) => writer !== undefined);
    if (live.length === 0) return false;
    const connection = this.#random.pick(live);
    this.#end(connection, true);
    for (const connect of connection.node.links) connect();
    return true;
  }

  /** The retention of claims is over: those that had their end are forgotten. Gives their ids. */
  forgetClaims(mayForget: (claim: Claim) => boolean): readonly string[] {
    return this.nodes.flatMap((node) => {
      const { claims, ends } = node.state;
      const due = [...claims.values()].filter((claim) => ends.has(placeId(claim)) && mayForget(claim));
      this.#apply(node, (state) => {
        for (const { id } of due) state.claims.delete(id);
      });
      return due.map(({ id }) => id);
    });
  }

  hasLate(): boolean {
    return this.nodes.some(({ late }) => late.length > 0);
  }

  /** Whether the node lost nothing since the run marked it. */
  isWhole(run: number, key: Uint8Array): boolean {
    const { generation, markedIn } = this.#nodeOf(key);
    return markedIn.get(run) === generation;
  }

  nodeOfKey(key: Uint8Array): FakeNode {
    return this.#nodeOf(key);
  }

  doLate(): boolean {
    const node = this.#random.pick(this.nodes);
    const [first] = node.late.splice(0, 1);
    if (first === undefined) return false;
    this.#apply(node, first.command);
    return true;
  }

  /** SIGKILL of a process: what it sent may still be done. */
  kill(owner: Owner): void {
    for (const node of this.nodes) {
      for (const connection of node.connections) if (connection.owner === owner) this.#end(connection, true);
    }
  }

  #read(ref: RecordRef): StoredRecord | undefined {
    const kept = this.#nodeOf(ref.key).state.records.get(recordId(ref));
    if (kept === undefined || (kept.base === undefined && kept.parts.size === 0)) return undefined;
    const parts = [...kept.parts.values()].sort(
      (a, b) => a.writer - b.writer || a.cut - b.cut || a.boundary - b.boundary,
    );
    return { base: kept.base, parts };
  }

  #nodeOf(key: Uint8Array): FakeNode {
    const sum = key.reduce((total, byte) => total + byte, 0);
    return this.nodes[sum % this.nodes.length] as FakeNode;
  }

  #nodeOfClaim(id: string): FakeNode {
    return this.nodes[Number.parseInt(id.slice(0, 4), 16) % this.nodes.length] as FakeNode;
  }

  #apply<T>(node: FakeNode, command: Command<T>): T {
    this.changes++;
    node.done.push(command);
    return command(node.state);
  }

  #connect(node: FakeNode, owner: Owner, more: Pick<Connection, 'run' | 'writer'>): Connection {
    const connection: Connection = { node, owner, isAlive: true, ...more };
    node.connections.add(connection);
    return connection;
  }

  #cutOff(node: FakeNode, isMeant: (connection: Connection) => boolean): void {
    if (!this.#rules.fences) return;
    for (const connection of node.connections) if (isMeant(connection)) this.#end(connection, false);
    node.late = node.late.filter(({ connection }) => !isMeant(connection));
  }

  #end(connection: Connection, mayBeDone: boolean): void {
    connection.isAlive = false;
    connection.node.connections.delete(connection);
    const waiting = this.#steps.take(({ channel }) => channel === connection);
    for (const { work, refuse, owner } of waiting) {
      const sent = this.#sent.get(work);
      this.#sent.delete(work);
      // A prefix of them is on its way.
      if (mayBeDone && sent !== undefined && this.#random.chance(0.6)) connection.node.late.push(sent);
      else mayBeDone = false;
      if (owner.isAlive) refuse(lost('the connection ended'));
    }
  }

  /** One command; resolves with its answer. */
  #send<T>(connection: Connection | undefined, what: string, command: Command<T>, also?: () => void): Promise<T> {
    if (connection === undefined || !connection.isAlive) return Promise.reject(lost('it is not connected'));
    const work = (): T => {
      this.#sent.delete(work);
      also?.();
      return this.#apply(connection.node, command);
    };
    this.#sent.set(work, { connection, command });
    return this.#steps.wait(connection.owner, what, work, connection);
  }

  async #openWriter(owner: Owner, link: WriterLink): Promise<StoreWriter> {
    const { writer: number, holder } = link;
    const own = new Map<FakeNode, Connection>();
    let isClosed = false;
    const token = link.owner?.token;
    const open = (node: FakeNode): Connection => {
      const connection = this.#connect(node, owner, { writer: { number, holder } });
      connection.isTaken = this.#apply(node, ({ notes }) => {
        if (number > notes.writer) Object.assign(notes, { writer: number, token });
        return number === notes.writer && token !== notes.token;
      });
      return connection;
    };
    const connect = (node: FakeNode) => (): void => {
      if (isClosed || !owner.isAlive || own.get(node)?.isAlive === true) return;
      void this.#steps.wait(owner, 'connect', () => {
        if (isClosed || own.get(node)?.isAlive === true) return;
        own.set(node, open(node));
        link.onNode(node.name);
      });
    };
    const connects = this.nodes.map((node) => [node, connect(node)] as const);
    for (const [node, again] of connects) {
      own.set(node, open(node));
      node.links.add(again);
    }
    for (const { name } of this.nodes) link.onNode(name);

    const atNodes = async <In, Out>(
      items: readonly In[],
      nodeOf: (item: In) => FakeNode,
      what: string,
      work: (state: State, item: In) => Out,
    ): Promise<Out[]> => {
      const found = new Map<In, Out>();
      await Promise.all(
        [...Map.groupBy(items, nodeOf)].map(async ([node, its]) => {
          const results = await this.#send(own.get(node), what, (state) => its.map((item) => work(state, item)));
          for (const [i, item] of its.entries()) found.set(item, results[i] as Out);
        }),
      );
      // Each was answered.
      return items.map((item) => found.get(item) as Out);
    };
    /** WAIT: of what was done on the connection before. */
    const keepSafely = async (nodes: Iterable<FakeNode>): Promise<void> => {
      for (const node of nodes) {
        const isSafe = await this.#send(own.get(node), 'wait', () => {
          if (!node.isReplicaAway) node.replicated = node.done.length;
          return !node.isReplicaAway;
        });
        if (!isSafe && this.#rules.promisesReplica) throw new NotDurable('its replica is away');
      }
    };
    const claimNode = ({ id }: { readonly id: string }): FakeNode => this.#nodeOfClaim(id);
    const holds = (held: Claim | undefined, { writer, offset }: Pick<Claim, 'writer' | 'offset'>): boolean =>
      held?.writer === writer && held.offset === offset;

    return {
      putParts: async (parts: readonly PartWrite[]) => {
        const isTaken = (part: PartWrite): boolean => own.get(this.#nodeOf(part.key))?.isTaken === true;
        if (parts.some(isTaken)) return parts.filter(isTaken);
        const refused = await atNodes(
          parts,
          ({ key }) => this.#nodeOf(key),
          'put parts',
          (state, part) => {
            const { writer, cut, boundary, fold, holder: by, n } = part;
            const { parts: there } = keptOf(state, part);
            const before = there.get(partId(part));
            const isGreater =
              before === undefined ||
              by > before.holder ||
              (by === before.holder && n > before.n && !isOfOtherLog(before.n, n));
            if (isGreater || !this.#rules.keepsGreater)
              there.set(partId(part), { writer, cut, boundary, fold: fold.slice(), holder: by, n });
            return !isGreater && !(by === before.holder && n === before.n);
          },
        );
        return refused.includes(true) ? parts.filter((_, i) => refused[i]) : undefined;
      },
      claim: async (claims) => {
        const held = await atNodes(claims, claimNode, 'claim', (state, claim) => {
          const before = state.claims.get(claim.id);
          if (before !== undefined) return before;
          if (!state.released.has(placeId(claim))) state.claims.set(claim.id, claim);
          return claim;
        });
        if (this.#rules.waitsForReplica) await keepSafely(new Set(claims.map(claimNode)));
        return held;
      },
      claims: async (ids) => {
        const nodeOf = (id: string): FakeNode => this.#nodeOfClaim(id);
        const held = await atNodes(ids, nodeOf, 'look at claims', (state, id) => state.claims.get(id));
        const found = ids.filter((_, i) => held[i] !== undefined);
        if (this.#rules.waitsForReplica) await keepSafely(new Set(found.map(nodeOf)));
        return held;
      },
      withdraw: async (parts) => {
        await atNodes(
          parts,
          ({ key }) => this.#nodeOf(key),
          'withdraw',
          (state, part) => {
            const { parts: there } = keptOf(state, part);
            const before = there.get(partId(part));
            if (before !== undefined && !isOfOtherLog(before.n, part.n)) there.delete(partId(part));
          },
        );
      },
      release: async (claims) => {
        await atNodes(claims, claimNode, 'release', (state, claim) => {
          const before = state.claims.get(claim.id);
          if (before === undefined || holds(before, claim)) state.released.add(placeId(claim));
          if (holds(before, claim)) state.claims.delete(claim.id);
        });
      },
      reach: async () => {
        await Promise.all(this.nodes.map((node) => this.#send(own.get(node), 'reach', () => {})));
      },
      finish: async (claims) => {
        await atNodes(claims, claimNode, 'finish', (state, claim) => {
          const held = state.claims.get(claim.id);
          if (held !== undefined && holds(held, claim)) state.claims.set(claim.id, { ...held, ...claim });
        });
      },
      expire: async (claims) => {
        await atNodes(claims, claimNode, 'expire', (state, claim) => {
          const held = state.claims.get(claim.id);
          if (held !== undefined && holds(held, claim)) state.ends.add(placeId(claim));
        });
      },
      nodeOf: (_entity, key) => this.#nodeOf(key).name,
      nodeOfClaim: (id) => this.#nodeOfClaim(id).name,
      close: async () => {
        isClosed = true;
        for (const [node, again] of connects) node.links.delete(again);
        for (const connection of own.values()) this.#end(connection, false);
      },
    };
  }

  async #openRun(owner: Owner, link: RunLink): Promise<StoreRun> {
    const { version, run: number } = link;
    const isEarlier = ({ run }: Connection): boolean => run?.version === version && run.number < number;
    const begun = new Map<string, { readonly connection: Connection; last: Promise<unknown>; failure?: unknown }>();
    const nodeNamed = (name: string): FakeNode => this.nodes.find((node) => node.name === name) as FakeNode;
    for (const node of this.nodes) await this.#steps.wait(owner, 'fence runs', () => this.#cutOff(node, isEarlier));
    const at = (name: string) => {
      const one = begun.get(name);
      if (one === undefined) throw lost(`${name} was not begun`);
      return one;
    };
    return {
      nodes: this.nodes.map(({ name }) => name),
      nodeOf: (_entity, key) => this.#nodeOf(key).name,
      begin: async (name) => {
        const before = begun.get(name)?.connection;
        if (before !== undefined) this.#end(before, false);
        const node = nodeNamed(name);
        const connection = await this.#steps.wait(owner, 'begin', () => {
          const made = this.#connect(node, owner, { run: { version, number } });
          this.#apply(node, ({ notes }) => void (notes.run = Math.max(notes.run, number)));
          this.#cutOff(node, isEarlier);
          return made;
        });
        if (!(await link.isOpen())) throw busy();
        begun.set(name, { connection, last: Promise.resolve() });
      },
      write: async (name, writes: readonly BaseWrite[]) => {
        const one = at(name);
        if (one.failure !== undefined) throw await this.#whyLost(link);
        const keptBy = (state: State, { entity, key }: BaseWrite) => keptOf(state, { entity, key, version });
        const removeParts = (state: State): void => {
          for (const one of writes) for (const part of one.counted ?? []) keptBy(state, one).parts.delete(partId(part));
        };
        const writeBases = (state: State): void => {
          for (const one of writes) keptBy(state, one).base = one.base.slice();
          removeParts(state);
        };
        const before = this.#rules.basesFirst
          ? Promise.resolve()
          : this.#send(one.connection, 'remove parts', removeParts);
        const written = this.#send(one.connection, 'write bases', writeBases);
        one.last = Promise.all([before, written]).catch((error: unknown) => void (one.failure ??= error));
      },
      mark: async (name) => {
        const one = at(name);
        await one.last;
        try {
          if (one.failure !== undefined) throw one.failure;
          const { node } = one.connection;
          await this.#send(
            one.connection,
            'mark',
            (state) => void state.marks.set(version, number),
            () => node.markedIn.set(number, node.generation),
          );
        } catch {
          throw await this.#whyLost(link);
        }
      },
      remove: () => Promise.reject(new Error('nothing is removed here')),
      close: async () => {
        for (const { connection } of begun.values()) this.#end(connection, false);
      },
    };
  }

  async #whyLost(link: RunLink): Promise<HeadraceError> {
    return (await link.isOpen()) ? lost('the connection ended') : busy();
  }
}
