// What of the language changes nothing that it is given, by name.

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Functions and constructors, with all members of theirs. */
export const CALM_GLOBALS = words(`
  Array BigInt BigInt64Array Boolean Date Error Float32Array Float64Array Int32Array Intl JSON Map Math Number RangeError
  RegExp Set String Symbol TypeError URL URLSearchParams Uint8Array WeakMap WeakSet console decodeURIComponent
  encodeURIComponent isFinite isNaN parseFloat parseInt structuredClone
`);

/** Members of `Object`. */
export const CALM_OF_OBJECT = words('entries freeze fromEntries getOwnPropertyNames groupBy hasOwn is keys values');

/** Methods of arrays, maps, sets, text, numbers and dates. */
export const CALM_METHODS = words(`
  at charAt charCodeAt codePointAt concat endsWith entries exec flat get getTime getUTCDate getUTCDay getUTCFullYear
  getUTCHours getUTCMinutes getUTCMonth has includes indexOf join keys lastIndexOf localeCompare match matchAll normalize
  padEnd padStart repeat slice split startsWith substring test toFixed toISOString toLowerCase toPrecision toReversed
  toSpliced toString toUpperCase trim trimEnd trimStart values with
`);

/** As these, but they call the functions that they are given; and so do some members of the globals above. */
export const CALLING_METHODS = words(`
  every filter find findIndex findLast findLastIndex flatMap forEach from groupBy map parse reduce reduceRight replace
  replaceAll some stringify toSorted
`);

/** What methods are called that set a package up for good: `dayjs.extend(…)`. */
export const SETS_UP =
  /^(add|configure|config|define|extend|global|init|install|load|locale|mixin|plugin|put|register|set|setup|use)/i;
