// The edges of a pipeline's graph: which steps one needs, and over what it runs.

import { didYouMean } from '../../core/index.ts';
import { authored, type AuthoredStep } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import type { Foreach } from '../manifest.ts';
import { own } from '../own.ts';
import { dataMistake, showName } from './names.ts';
import { isPlain } from './plain-data.ts';

/** Tells a mistake of a step: how the sentence goes on after its name, and where in its call it is. */
export type Report = (message: string, path: Path) => void;

/** The name of the step that is needed, where it is one of `steps`. */
export function neededStep(
  name: string,
  value: unknown,
  at: Path,
  steps: readonly AuthoredStep[],
  report: Report,
): string | undefined {
  const known = steps.map((step) => step.name);
  const object = authored(value);
  // Refused for itself.
  if (object?.kind === 'step' && typeof object.name !== 'string') return undefined;
  const stepName = typeof value === 'string' ? value : object?.kind === 'step' ? object.name : undefined;
  if (stepName === undefined) {
    report(`: need ${showName(name)} must be a step: what .step(…) gave`, at);
  } else if (!known.includes(stepName)) {
    report(` needs ${showName(stepName)}, which is no step of this pipeline.${didYouMean(stepName, known)}`, at);
  } else if (object?.kind === 'step' && !steps.includes(object)) {
    const other = showName(object.pipeline);
    report(`: need ${showName(name)} is a step of pipeline ${other}. Add a step to this pipeline`, at);
  } else {
    return stepName;
  }
  return undefined;
}

/** Over what a step runs. `needs` gets an entry for a step that is only named as `foreach`. */
export function compileForeach(
  step: AuthoredStep,
  steps: readonly AuthoredStep[],
  needs: Record<string, string>,
  report: Report,
): Foreach | undefined {
  const { foreach } = step;
  const at = [2, 'foreach'];
  if (foreach === undefined) return undefined;
  if (authored(foreach)?.kind === 'step') {
    const needed = neededStep('foreach', foreach, at, steps, report);
    if (needed === undefined) return undefined;
    const under = Object.entries(needs).find(([, name]) => name === needed)?.[0] ?? needed;
    const other = own(needs, under);
    if (other !== undefined && other !== needed) {
      report(
        `: need "${under}" is step "${other}", and foreach takes that name for step "${needed}". Rename the need`,
        [2, 'needs', under],
      );
    }
    needs[under] = needed;
    return { kind: 'result', of: needed };
  }
  const given: Foreach | undefined = Array.isArray(foreach)
    ? { kind: 'items', items: foreach }
    : (foreach as { foreach?: Foreach } | null)?.foreach;
  const mistake = dataMistake(given);
  if (mistake !== undefined) report(`: foreach: ${mistake}`, at);
  switch (given?.kind) {
    case 'items':
      checkItems(given.items, at, report);
      return given;
    case 'grid': {
      const axes = Object.entries(given.axes ?? {});
      if (axes.length === 0 || axes.some(([, values]) => !Array.isArray(values) || values.length === 0))
        report(': every axis of its grid needs at least one value: grid({ trees: [100, 200] })', at);
      for (const [axis, values] of axes) if (Array.isArray(values)) checkItems(values, [...at, 0, axis], report);
      return given;
    }
    case 'range': {
      const { start, end } = given;
      if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || end < start) {
        const came = `${describeResult(start)} and ${describeResult(end)}`;
        report(`: range(start, end) needs whole numbers, the end not below the start, got ${came}`, at);
      }
      return given;
    }
    default:
      report(': foreach must be an array, grid({ … }), range(n) or a step', at);
      return undefined;
  }
}

function checkItems(items: readonly unknown[], at: Path, report: Report): void {
  const bad = items.findIndex((item) => !isPlain(item));
  if (bad < 0) return;
  report(`: the items of foreach must be plain JSON data, got ${describeResult(items[bad])}`, [...at, bad]);
}
