/** The exponent of the smallest number: every finite one is a multiple of 2^unit. */
const unit = -1074;

const exact = 2 ** 53;

/**
 * An exact sum of numbers, rounded only when it is read. Numbers can be taken out again, so it depends on what is in it
 * and not on how it came there. NaN and the infinities count as they do in a sum of numbers.
 */
export class Sum {
  count = 0;
  /** Whole numbers as long as their sum is one that a number holds. */
  #small = 0;
  /** The other finite ones, in units of 2^unit. */
  #large = 0n;
  /** How often each number that is not finite is there. */
  readonly #odd = new Map<number, number>();

  /** Adds a number, or takes one out that was added. */
  put(v: number | bigint, sign: 1 | -1): void {
    this.count += sign;
    if (typeof v === 'number' && !Number.isFinite(v)) {
      this.#odd.set(v, (this.#odd.get(v) ?? 0) + sign);
      return;
    }
    const small = this.#small + sign * Number(v);
    if (Number.isInteger(v) && Math.abs(Number(v)) <= exact && Math.abs(small) <= exact) this.#small = small;
    else this.#large += BigInt(sign) * (typeof v === 'bigint' ? v << BigInt(-unit) : units(v));
  }

  /** The number nearest to the sum, of two the even one. */
  value(): number {
    let odd = 0;
    for (const [v, n] of this.#odd) if (n) odd += v;
    if (odd !== 0) return odd;
    return this.#large ? round(this.#large + units(this.#small)) : this.#small;
  }
}

/** A finite number in units. */
function units(v: number): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(v));
  const exponent = bits.getUint16(0) >> 4;
  const mantissa = bits.getBigUint64(0) & (2n ** 52n - 1n);
  // A number too small for the leading 1 has the exponent of the smallest that has it.
  const n = exponent ? (mantissa + 2n ** 52n) << BigInt(exponent - 1) : mantissa;
  return v < 0 ? -n : n;
}

/** The number nearest to so many units. */
function round(n: bigint): number {
  if (n < 0n) return -round(-n);
  const excess = BigInt(Math.max(0, n.toString(16).length * 4 - 64));
  const top = n >> excess;
  // What is cut off only matters when the rest lies halfway; one bit says that there was something.
  const sticky = top << excess === n ? top : top | 1n;
  return Number(sticky) * 2 ** (Number(excess) + unit);
}
