/**
 * The element types of a safetensors file and how each widens to float32. Files are little-endian,
 * and so is every machine that runs WebGPU, so a typed array can be a view of a file's bytes.
 */

interface Dtype {
  /** Bytes of one element. */
  readonly size: number
  /** The elements of a buffer that holds nothing else, as float32. */
  readonly widen: (bytes: ArrayBuffer) => Float32Array
}

const dtypes = {
  F64: { size: 8, widen: (bytes) => new Float32Array(new Float64Array(bytes)) },
  F32: { size: 4, widen: (bytes) => new Float32Array(bytes) },
  F16: { size: 2, widen: (bytes) => widenHalf(new Uint16Array(bytes)) },
  BF16: { size: 2, widen: (bytes) => widenBrainFloat(new Uint16Array(bytes)) },
  I64: { size: 8, widen: (bytes) => Float32Array.from(new BigInt64Array(bytes), Number) },
  I32: { size: 4, widen: (bytes) => new Float32Array(new Int32Array(bytes)) },
  I16: { size: 2, widen: (bytes) => new Float32Array(new Int16Array(bytes)) },
  I8: { size: 1, widen: (bytes) => new Float32Array(new Int8Array(bytes)) },
  U64: { size: 8, widen: (bytes) => Float32Array.from(new BigUint64Array(bytes), Number) },
  U32: { size: 4, widen: (bytes) => new Float32Array(new Uint32Array(bytes)) },
  U16: { size: 2, widen: (bytes) => new Float32Array(new Uint16Array(bytes)) },
  U8: { size: 1, widen: (bytes) => new Float32Array(new Uint8Array(bytes)) },
  BOOL: {
    size: 1,
    widen: (bytes) => Float32Array.from(new Uint8Array(bytes), (byte) => (byte === 0 ? 0 : 1)),
  },
} as const satisfies Record<string, Dtype>

/** A type that Graft reads. */
export type DtypeName = keyof typeof dtypes

/** Every type that Graft reads, for error messages. */
export const dtypeNames = Object.keys(dtypes) as readonly DtypeName[]

/** Whether `name` is a type that Graft reads. */
export function isDtypeName(name: string): name is DtypeName {
  return Object.hasOwn(dtypes, name)
}

/** Bytes that one element of the type takes in a file. */
export function itemSize(name: DtypeName): number {
  return dtypes[name].size
}

/**
 * The elements in `bytes` as float32, in a new array. Values that float32 cannot represent, such as
 * an integer above 2^24, are rounded to the nearest one. float16 and bfloat16 are exact, with
 * subnormals, infinities and NaN.
 *
 * @param bytes n elements of the type, little-endian, at any alignment
 * @returns f32[n]
 */
export function widen(name: DtypeName, bytes: Uint8Array): Float32Array {
  const aligned = new Uint8Array(bytes.length)
  aligned.set(bytes)
  return dtypes[name].widen(aligned.buffer)
}

/**
 * As `widen`, for bytes that will not change: aligned F32 elements become a view of them, without a
 * copy.
 * @param bytes n elements of the type, little-endian
 */
export function widenInPlace(name: DtypeName, bytes: Uint8Array): Float32Array {
  const isView = name === 'F32' && bytes.byteOffset % 4 === 0 && bytes.buffer instanceof ArrayBuffer
  return isView
    ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    : widen(name, bytes)
}

function widenBrainFloat(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length)
  for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] as number) << 16
  return new Float32Array(bits.buffer)
}

/**
 * IEEE 754 binary16: 1 sign bit, 5 of exponent with bias 15, 10 of mantissa; float32 has bias 127
 * and 23 bits of mantissa.
 */
function widenHalf(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length)
  const floats = new Float32Array(bits.buffer)
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i] as number
    const sign = (half & 0x8000) << 16
    const exponent = (half >> 10) & 0x1f
    const mantissa = half & 0x3ff
    if (exponent === 0) floats[i] = (sign ? -1 : 1) * mantissa * 2 ** -24
    else bits[i] = sign | ((exponent === 31 ? 255 : exponent + 127 - 15) << 23) | (mantissa << 13)
  }
  return floats
}
