/** How many containers may be open around a value. A scalar has depth 0, an empty array depth 1. */
export const maxDepth = 256;

/** The greatest magnitude up to which every integer is a number of its own. */
export const exact = 2 ** 53;

/** How many numbers 32 bits tell apart. */
export const word = 2 ** 32;

/**
 * What can be wrong:
 * - SHORT: the bytes end inside a value, or a container declares more elements than there are bytes for
 * - FORMAT: the byte that no value starts with, or something that is no message
 * - DEPTH: more than maxDepth nested containers; when encoding most often an object that contains itself
 * - TRAILING: bytes after the value
 * - SIZE: more than allowed
 * - UNSUPPORTED: a JavaScript value that has no encoding; the message says where it is and what to store instead
 */
export type CodecErrorCode = 'SHORT' | 'FORMAT' | 'DEPTH' | 'TRAILING' | 'SIZE' | 'UNSUPPORTED';

export class CodecError extends Error {
  override readonly name = 'CodecError';

  constructor(
    readonly code: CodecErrorCode,
    message: string,
  ) {
    super(message);
  }
}
