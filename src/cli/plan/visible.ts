// Text from definitions as it may stand beside our own: on a terminal, in a comment.

/** Control characters, and those that turn the direction of text, as `\u{…}`: they would show another text than there is. */
export function visible(text: string): string {
  return text.replaceAll(UNSEEN, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
