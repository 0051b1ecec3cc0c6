// What makes a kind of action: how it is written, how it compiles, what its spec is like. Each kind is a file beside this one,
// and a line in action-kinds.ts.

import type { TSchema } from 'typebox';
import type { Authored, AuthoredOf } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import type { Report } from '../compile/pipeline-members.ts';
import type { FunctionRef, UserFunction } from '../manifest.ts';
import type { Foreach } from '../pipeline-spec.ts';

/** `Given`: what the authoring function was given, as it may come from plain JavaScript. */
export interface ActionKind<Given, Spec extends { readonly kind: string }> {
  readonly kind: Spec['kind'];
  /** Of its spec. */
  readonly schema: TSchema;
  /** It changes what lies outside of its run: a result of before does not stand for it. */
  readonly isEffect?: true;
  /** The spec, mistakes told. */
  compile(given: Given, context: ActionContext): Spec;
  /** The objects of the authoring API that it names. */
  leadsTo?(given: Given): readonly unknown[];
}

/** Paths lead from the call of the step: the action is its argument 1. */
export interface ActionContext {
  readonly pipeline: string;
  readonly step: string;
  /** Over what the step runs; undefined where it runs once. */
  readonly foreach: Foreach | undefined;
  readonly report: Report;
  /** Reports what is no text, or is empty. */
  text(what: string, value: unknown, at: Path): void;
  /** The object of that kind; else reports what came. */
  object<K extends Authored['kind']>(what: string, value: unknown, kind: K, at: Path): AuthoredOf<K> | undefined;
  /** Takes a function in; gives what names it in the manifest. */
  addFunction(id: string, fn: UserFunction): FunctionRef;
  /** Notes paths of files and folders of the repository that travel with the step. */
  takeAlong(paths: readonly string[]): void;
}
