// An order made ready on this machine, once for all its tasks: files of its needs fetched, secrets read, environment built.

import { rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { memoryBytes } from '../resources.ts';
import { inheritedVariables, stepVariables } from './environment.ts';
import { prepareInput, type StepInput } from './input.ts';
import { readOrder, type StepOrder } from './order.ts';
import { readSecrets } from './secrets.ts';
import type { StepHost } from './step-host.ts';

export interface PreparedOrder {
  readonly order: StepOrder;
  readonly input: StepInput;
  /** Of the order alone, and there until it is dropped. */
  readonly directory: string;
  readonly variables: Readonly<Record<string, string>>;
  /** To be blanked wherever they turn up. */
  readonly secretValues: readonly string[];
  readonly memoryBytes: number | null;
  drop(): void;
}

let orders = 0;

/** Throws HR_STEP_FAILED, HR_ARTIFACT_UNREADABLE. */
export async function prepareOrder(host: StepHost, spec: string): Promise<PreparedOrder> {
  const order = await readOrder(host.objects, spec);
  const secrets = readSecrets(order.secrets, host.variables);
  orders += 1;
  const directory = join(host.scratch, `order-${orders}`);
  await mkdir(directory, { recursive: true });
  return {
    order,
    input: await prepareInput(order, host.cache, join(directory, 'files')),
    directory,
    variables: stepVariables(order, inheritedVariables(host.variables), secrets),
    secretValues: Object.values(secrets),
    memoryBytes: order.resources.memory === undefined ? null : memoryBytes(order.resources.memory),
    drop: () => rmSync(directory, { recursive: true, force: true }),
  };
}
