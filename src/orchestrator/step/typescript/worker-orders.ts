// What a warm process is told, a line of JSON each.

/** The orders of tasks, in which they run. */
export type WorkerOrder =
  /**
   * What the next tasks share: their function, the members of their input as JSON without braces, and whether they are not given
   * their index.
   */
  | {
      readonly kind: 'order';
      readonly functionId: string;
      readonly file: string;
      readonly shared: string;
      readonly hidesIndex: boolean;
    }
  | { readonly kind: 'tasks'; readonly tasks: readonly (readonly [place: number, attempt: number, item: unknown])[] }
  /** What has not started comes back. */
  | { readonly kind: 'recall' };

/** Of the process: it reads orders from one and writes frames to the other. */
export const ORDERS_FD = 3;
export const FRAMES_FD = 4;
