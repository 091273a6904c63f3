/** What random damage does to a file's bytes. */
import fc from 'fast-check'
import { at } from '../../src/base/at.ts'

/** One change. Places are taken modulo the file's length, so that each fits every file. */
type Mutation =
  | { readonly kind: 'flip'; readonly place: number; readonly bit: number }
  | { readonly kind: 'set'; readonly place: number; readonly byte: number }
  | { readonly kind: 'cut'; readonly place: number }
  | { readonly kind: 'behead'; readonly place: number }
  | { readonly kind: 'remove'; readonly place: number; readonly length: number }
  | {
      readonly kind: 'repeat'
      readonly place: number
      readonly length: number
      readonly times: number
    }
  | {
      readonly kind: 'swap'
      readonly place: number
      readonly other: number
      readonly length: number
    }
  | {
      readonly kind: 'splice'
      readonly place: number
      readonly donor: number
      readonly other: number
      readonly length: number
    }
  | {
      readonly kind: 'length'
      readonly place: number
      readonly value: bigint
      readonly width: number
      readonly bigEndian: boolean
    }
  | { readonly kind: 'digits'; readonly place: number; readonly text: string }

/** A whole damage: the changes to each of some files of a subject, by the file's index. */
export interface Damage {
  readonly file: number
  readonly mutations: readonly Mutation[]
}

// Most of what misleads a reader stands near the beginning or the end of a file.
const place = fc.oneof(
  fc.nat(80),
  fc.nat(80).map((back) => -1 - back),
  fc.nat(2 ** 20),
)
const length = fc.oneof(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 4096 }))

/** Lengths that are larger than any file, negative, or just not what they should be. */
const lengths = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  2n ** 32n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  2n ** 64n - 1n,
]

const digits = ['0', '-1', '1e9', '1e999', '0.5', '9'.repeat(30), '4294967296', 'null', '""', '[]']

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip'), place, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('set'), place, byte: fc.nat(255) }),
  fc.record({ kind: fc.constant('cut'), place }),
  fc.record({ kind: fc.constant('behead'), place }),
  fc.record({ kind: fc.constant('remove'), place, length }),
  fc.record({
    kind: fc.constant('repeat'),
    place,
    length,
    times: fc.constantFrom(1, 2, 100, 2000),
  }),
  fc.record({ kind: fc.constant('swap'), place, other: place, length }),
  fc.record({ kind: fc.constant('splice'), place, donor: fc.nat(99), other: place, length }),
  fc.record({
    kind: fc.constant('length'),
    place,
    value: fc.constantFrom(...lengths),
    width: fc.constantFrom(1, 2, 4, 8),
    bigEndian: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('digits'), place, text: fc.constantFrom(...digits) }),
)

export const damages: fc.Arbitrary<Damage> = fc.record({
  file: fc.nat(9),
  mutations: fc.array(mutation, { minLength: 1, maxLength: 4 }),
})

/** No damage makes a file longer than this. */
const mostBytes = 2 ** 22

/**
 * The bytes after some changes, in a new array.
 * @param donors other files, of which parts are put in
 */
export function damaged(
  bytes: Uint8Array,
  { mutations }: Damage,
  donors: readonly Uint8Array[],
): Uint8Array {
  let now = new Uint8Array(bytes)
  for (const one of mutations) now = mutate(now, one, donors)
  return now
}

function mutate(
  bytes: Uint8Array<ArrayBuffer>,
  mutation: Mutation,
  donors: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const size = bytes.length
  if (size === 0) return bytes
  const inside = (index: number) => ((index % size) + size) % size
  const start = inside(mutation.place)
  switch (mutation.kind) {
    case 'flip':
      bytes[start] = at(bytes, start) ^ (1 << mutation.bit)
      return bytes
    case 'set':
      bytes[start] = mutation.byte
      return bytes
    case 'cut':
      return bytes.slice(0, start)
    case 'behead':
      return bytes.slice(start)
    case 'remove':
      return joined(bytes.subarray(0, start), bytes.subarray(start + mutation.length))
    case 'repeat': {
      const part = bytes.subarray(start, start + mutation.length)
      const times = Math.min(mutation.times, Math.floor((mostBytes - size) / part.length))
      const again = Array.from({ length: Math.max(0, times) }, () => part)
      return joined(bytes.subarray(0, start), ...again, bytes.subarray(start))
    }
    case 'swap': {
      const other = inside(mutation.other)
      const [first, second] = [start, other].sort((a, b) => a - b) as [number, number]
      const length = Math.min(mutation.length, second - first, size - second)
      return joined(
        bytes.subarray(0, first),
        bytes.subarray(second, second + length),
        bytes.subarray(first + length, second),
        bytes.subarray(first, first + length),
        bytes.subarray(second + length),
      )
    }
    case 'splice': {
      const donor = at(donors, mutation.donor % donors.length)
      const from = Math.abs(mutation.other) % donor.length
      const part = donor.subarray(from, from + mutation.length)
      return joined(bytes.subarray(0, start), part, bytes.subarray(start + part.length))
    }
    case 'length': {
      const field = new DataView(new ArrayBuffer(8))
      field.setBigUint64(0, mutation.value, !mutation.bigEndian)
      const skipped = mutation.bigEndian ? 8 - mutation.width : 0
      const part = new Uint8Array(field.buffer, skipped, mutation.width)
      bytes.set(part.subarray(0, size - start), start)
      return bytes
    }
    case 'digits': {
      const text = Buffer.from(bytes).toString('latin1')
      const changed = text.slice(0, start) + text.slice(start).replace(/\d+/, () => mutation.text)
      return new Uint8Array(Buffer.from(changed, 'latin1'))
    }
  }
}

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts))
}
