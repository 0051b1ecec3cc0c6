// Indexes of a Job's parts as its status counts them.

/** Of '1,3-5,7': 1, 3, 4, 5, 7. */
export function readIndexes(text: string | undefined): readonly number[] {
  if (text === undefined || text === '') return [];
  return text.split(',').flatMap((piece) => {
    const [from = 0, to = from] = piece.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, offset) => from + offset);
  });
}
