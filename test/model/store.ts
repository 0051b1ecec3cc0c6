// The store: nodes that keep fields by name and may fail over to a replica that lacks the last writes, and connections
// whose commands may be done late, or never.

import {
  type ConnectionName,
  type Connection,
  type Field,
  Lost,
  type Operation,
  type Process,
  type StoreNode,
  type Steps,
  type World,
} from './world.ts';

type FieldOf<K extends Field['kind']> = Extract<Field, { readonly kind: K }>;

const TIME_OUT = 0.03;
/** A command on its way when its process dies. */
const STILL_DONE = 0.4;

export function nameOf(field: Field): string {
  switch (field.kind) {
    case 'base':
      return `base ${field.key} ${field.version}`;
    case 'part':
      return `part ${field.key} ${field.version} ${field.writer} ${field.cut} ${field.boundary}`;
    case 'mark':
      return `mark ${field.version}`;
    case 'claim':
      return `claim ${field.id}`;
  }
}

/** `onReplicas`: acknowledged by them, so that no failover takes it back. */
export function put(world: World, node: StoreNode, field: Field, onReplicas = false): void {
  replace(world, node, nameOf(field), field, onReplicas);
}

export function remove(world: World, node: StoreNode, field: Field): void {
  replace(world, node, nameOf(field), undefined, false);
}

function replace(world: World, node: StoreNode, name: string, field: Field | undefined, onReplicas: boolean): void {
  world.hasChanged = true;
  if (!onReplicas) node.undo.push({ name, before: node.fields.get(name) });
  if (field === undefined) node.fields.delete(name);
  else node.fields.set(name, field);
}

/** The field under the name of one like it. */
export function find<K extends Field['kind']>(node: StoreNode, like: FieldOf<K>): FieldOf<K> | undefined {
  // A name begins with the kind, so what lies under it is of that kind.
  return node.fields.get(nameOf(like)) as FieldOf<K> | undefined;
}

/** A replica takes over that lacks the last writes; all connections are gone, with what was on them. */
export function failOver(world: World, node: StoreNode, lostWrites: number): void {
  for (const { name, before } of node.undo.splice(Math.max(0, node.undo.length - lostWrites)).toReversed()) {
    replace(world, node, name, before, true);
  }
  world.hasChanged = true;
  node.generation += 1;
  node.ghosts = [];
}

export function connect(world: World, process: Process, node: StoreNode): void {
  const connection = { name: process.name, node, generation: node.generation, isAlive: true };
  world.connections.push(connection);
  process.connections.set(node, connection);
}

export function isUsable(connection: Connection | undefined): connection is Connection {
  return connection !== undefined && connection.isAlive && connection.generation === connection.node.generation;
}

/** The fence: cuts off connections by name. */
export function cutOff(world: World, isMeant: (name: ConnectionName) => boolean): void {
  for (const connection of world.connections) if (isMeant(connection.name)) connection.isAlive = false;
}

/** One command; throws Lost. */
export function* send<T>(world: World, process: Process, node: StoreNode, operation: Operation<T>): Steps<T> {
  const connection = process.connections.get(node);
  if (!isUsable(connection)) throw new Lost();
  const command = { connection, operation };
  process.pending.add(command);
  yield;
  process.pending.delete(command);
  if (!isUsable(connection) || process.connections.get(node) !== connection) throw new Lost();
  if (world.random.chance(TIME_OUT)) {
    node.ghosts.push(command);
    process.connections.delete(node);
    throw new Lost();
  }
  return operation(node);
}

/** SIGKILL. */
export function crash(world: World, process: Process): void {
  process.isAlive = false;
  for (const command of process.pending) {
    if (world.random.chance(STILL_DONE)) command.connection.node.ghosts.push(command);
  }
  process.threads = [];
  process.pending.clear();
}
