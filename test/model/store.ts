// The store: nodes that keep fields by name and may fail over to a replica that lacks the last writes, and connections
// whose commands may be done late, or never.

import * as w from './world.ts';

type FieldOf<K extends w.Field['kind']> = Extract<w.Field, { readonly kind: K }>;

const TIME_OUT = 0.03;
/** A command on its way when its process dies. */
const STILL_DONE = 0.4;

export function nameOf(field: w.Field): string {
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
export function put(world: w.World, node: w.StoreNode, field: w.Field, onReplicas = false): void {
  replace(world, node, nameOf(field), field, onReplicas);
}

export function remove(world: w.World, node: w.StoreNode, field: w.Field): void {
  replace(world, node, nameOf(field), undefined, false);
}

function replace(
  world: w.World,
  node: w.StoreNode,
  name: string,
  field: w.Field | undefined,
  onReplicas: boolean,
): void {
  world.hasChanged = true;
  if (!onReplicas) node.undo.push({ name, before: node.fields.get(name) });
  if (field === undefined) node.fields.delete(name);
  else node.fields.set(name, field);
}

/** The field under the name of one like it. */
export function find<K extends w.Field['kind']>(node: w.StoreNode, like: FieldOf<K>): FieldOf<K> | undefined {
  // A name begins with the kind, so what lies under it is of that kind.
  return node.fields.get(nameOf(like)) as FieldOf<K> | undefined;
}

/** A replica takes over that lacks the last writes; all connections are gone, with what was on them. */
export function failOver(world: w.World, node: w.StoreNode, lostWrites: number): void {
  for (const { name, before } of node.undo.splice(Math.max(0, node.undo.length - lostWrites)).toReversed()) {
    replace(world, node, name, before, true);
  }
  world.hasChanged = true;
  node.generation += 1;
  node.ghosts = [];
}

export function connect(world: w.World, process: w.Process, node: w.StoreNode): void {
  const connection = { name: process.name, node, generation: node.generation, isAlive: true };
  world.connections.push(connection);
  process.connections.set(node, connection);
}

export function isUsable(connection: w.Connection | undefined): connection is w.Connection {
  return connection !== undefined && connection.isAlive && connection.generation === connection.node.generation;
}

/** The fence: cuts off connections by name. */
export function cutOff(world: w.World, isMeant: (name: w.ConnectionName) => boolean): void {
  for (const connection of world.connections) if (isMeant(connection.name)) connection.isAlive = false;
}

/** One command; throws Lost. */
export function* send<T>(world: w.World, process: w.Process, node: w.StoreNode, operation: w.Operation<T>): w.Steps<T> {
  const connection = process.connections.get(node);
  if (!isUsable(connection)) throw new w.Lost();
  const command = { connection, operation };
  process.pending.add(command);
  yield;
  process.pending.delete(command);
  if (!isUsable(connection) || process.connections.get(node) !== connection) throw new w.Lost();
  if (world.random.chance(TIME_OUT)) {
    node.ghosts.push(command);
    process.connections.delete(node);
    throw new w.Lost();
  }
  return operation(node);
}

/** SIGKILL. */
export function crash(world: w.World, process: w.Process): void {
  process.isAlive = false;
  for (const command of process.pending) {
    if (world.random.chance(STILL_DONE)) command.connection.node.ghosts.push(command);
  }
  process.threads = [];
  process.pending.clear();
}
