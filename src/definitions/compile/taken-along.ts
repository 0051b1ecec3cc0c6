// Which files of the repository steps ask for that no text of theirs names. They are read where a repository is loaded, and
// not while it compiles.

export class TakenAlong {
  readonly #paths = new Map<string, readonly string[]>();

  add(pipeline: string, step: string, paths: readonly string[]): void {
    this.#paths.set(keyOf(pipeline, step), paths);
  }

  /** Of files and folders, as written. */
  of(pipeline: string, step: string): readonly string[] {
    return this.#paths.get(keyOf(pipeline, step)) ?? [];
  }
}

function keyOf(pipeline: string, step: string): string {
  return JSON.stringify([pipeline, step]);
}
