// `Range: bytes=…` (RFC 9110, 14): one range of a file; several are answered whole, as is what cannot be understood.

export type AskedRange =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly from: number /** Included. */; readonly to: number }
  | { readonly kind: 'outside' };

const WHOLE: AskedRange = { kind: 'whole' };

export function readRange(header: string | undefined, size: number): AskedRange {
  const found = header === undefined ? null : /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header);
  if (found === null) return WHOLE;
  const [, first = '', last = ''] = found;
  if (first === '') {
    if (last === '') return WHOLE;
    const length = Math.min(Number(last), size);
    return length === 0 ? { kind: 'outside' } : { kind: 'part', from: size - length, to: size - 1 };
  }
  const from = Number(first);
  const to = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < from) return WHOLE;
  return from >= size ? { kind: 'outside' } : { kind: 'part', from, to };
}
