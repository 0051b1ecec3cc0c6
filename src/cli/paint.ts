// Colour on a terminal, and none elsewhere or with NO_COLOR.

import { styleText } from 'node:util';

export type Format = Parameters<typeof styleText>[0];
export type Paint = (format: Format, text: string) => string;

export const plain: Paint = (_format, text) => text;

/** For text that goes to this stream. */
export function paintOn(stream: NodeJS.WriteStream): Paint {
  return (format, text) => styleText(format, text, { stream });
}
