// A task's function from its bundle. Most bundles need nothing of Headrace, and a process that does not load it starts several
// times faster.

import { createRequire } from 'node:module';
import { compileFunction } from 'node:vm';

export type Task = (needs: unknown, context: unknown) => unknown;

const require = createRequire(import.meta.url);

/** Throws HR_DEFINITION when the bundle's own top level throws. */
export async function evaluateTask(id: string, code: string): Promise<Task> {
  return evaluatePlain(id, code) ?? (await evaluateWhole(id, code));
}

/** Undefined where it takes more, or throws: that is told elsewhere. */
function evaluatePlain(id: string, code: string): Task | undefined {
  // It asks for the authoring API, or for its function in objects of that.
  if (code.includes('headrace')) return undefined;
  const module: { exports: unknown } = { exports: {} };
  try {
    const run = compileFunction(code, ['module', 'exports', 'require'], { filename: `headrace:${id}` });
    (run as (...given: unknown[]) => void)(module, module.exports, require);
  } catch {
    return undefined;
  }
  // It is called where its arguments are known.
  return typeof module.exports === 'function' ? (module.exports as Task) : undefined;
}

async function evaluateWhole(id: string, code: string): Promise<Task> {
  const { evaluateBundle } = await import('../../../definitions/index.ts');
  // The manifest says that this id is a task, and a task takes its needs and its context.
  return evaluateBundle(id, code) as unknown as Task;
}
