/**
 * A text with each character replaced by the one that stands for all that differ from it by case only (Unicode simple
 * folding), so that folded texts are equal where the server ignores case.
 */
export function fold(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return text.toLowerCase();
  let out = '';
  for (const c of text) out += foldChar(c);
  return out;
}

function foldChar(c: string): string {
  const upper = one(c.toUpperCase(), c);
  // A dotless i is not an i, although it has the same capital.
  return c === '\u0131' ? c : one(upper.toLowerCase(), upper);
}

/** A mapping of a character if it is one character, else what was there. */
function one(mapped: string, c: string): string {
  return mapped.length === 1 || (mapped.length === 2 && mapped.codePointAt(0)! > 0xffff) ? mapped : c;
}

/**
 * Whether all of a text fits a pattern in which % stands for any run of characters and _ for one; both folded. On a
 * mismatch only the last % is extended, which is enough and bounds the time by the product of both lengths.
 */
export function like(pattern: readonly string[], text: readonly string[]): boolean {
  let i = 0;
  let j = 0;
  let star = -1;
  let from = 0;
  while (j < text.length) {
    if (pattern[i] === '%') {
      star = ++i;
      from = j;
    } else if (i < pattern.length && (pattern[i] === '_' || pattern[i] === text[j])) {
      i++;
      j++;
    } else {
      if (star < 0) return false;
      i = star;
      j = ++from;
    }
  }
  while (pattern[i] === '%') i++;
  return i === pattern.length;
}
