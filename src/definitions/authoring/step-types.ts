// What the compiler infers of steps: what one gives, and whether its needs fit the type that its task names.

import type { ForeachOption, Step } from './step-options.ts';

/** A step's result as the steps after it get it, by its options. */
export type StepResult<R, O> = O extends { readonly foreach: ForeachOption } ? TaskResult<R, O>[] : TaskResult<R, O>;

type TaskResult<R, O> = O extends { readonly catch: infer C } ? (true extends C ? R | Caught : R) : R;

/** What a task with `catch` gives that has failed for good. */
interface Caught {
  readonly error: string;
}

// A task that names the type of its input gets steps that fit it. `string extends keyof I`: it does not name any.
export type CheckedNeeds<I, O> = string extends keyof I
  ? unknown
  : keyof I extends never
    ? unknown
    : { readonly needs: { readonly [Name in keyof I]: CheckedNeed<I[Name], NeedOf<O, Name>, O> } };

type NeedOf<O, Name> = O extends { readonly needs: infer N } ? (Name extends keyof N ? N[Name] : never) : never;

// In brackets: a union fits or not as a whole.
type CheckedNeed<Wanted, S, O> =
  S extends Step<infer R>
    ? [R] extends [Wanted]
      ? O extends { readonly after: 'end' }
        ? null extends Wanted
          ? S
          : NeedMayBeNull<Wanted>
        : S
      : Step<Wanted>
    : Step<Wanted>;

/** Marks, in the compiler's message, a need that gives null where it has no result: after the end, as `T | null`. */
interface NeedMayBeNull<Wanted> {
  readonly mayBeNull: Wanted | null;
}
