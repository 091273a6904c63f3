/**
 * The pickle of a state_dict, as Python's own pickler writes it in protocol 2. Source: Python,
 * Lib/pickletools.py, which describes every opcode; PyTorch, torch/_utils.py (`_rebuild_tensor_v2`)
 * and torch/serialization.py (`persistent_id`).
 */
import type { NamedArray } from '../../base/stateDict.ts'
import { concat, contiguousStrides } from '../arrays.ts'

/** The opcodes used, by the names that pickletools gives them. */
const op = {
  PROTO: 0x80,
  GLOBAL: 0x63,
  EMPTY_TUPLE: 0x29,
  REDUCE: 0x52,
  MARK: 0x28,
  TUPLE: 0x74,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  BINUNICODE: 0x58,
  BININT: 0x4a,
  BININT1: 0x4b,
  LONG1: 0x8a,
  BINPERSID: 0x51,
  NEWFALSE: 0x89,
  EMPTY_DICT: 0x7d,
  SETITEMS: 0x75,
  BUILD: 0x62,
  STOP: 0x2e,
} as const

/**
 * `OrderedDict([(name, tensor), …])`, tensor N in its own storage "N", with an attribute
 * `metadata` if there is any.
 * @returns the bytes of `data.pkl`
 */
export function pickleStateDict(
  arrays: readonly (readonly [string, NamedArray])[],
  metadata: Record<string, string>,
): Uint8Array {
  const out = new PickleWriter()
  out.ops(op.PROTO, 2)
  out.emptyOrderedDict()
  out.ops(op.MARK)
  for (const [i, [name, { shape, data }]] of arrays.entries()) {
    out.text(name)
    out.global('torch._utils', '_rebuild_tensor_v2')
    out.ops(op.MARK)
    out.storage(String(i), data.length)
    out.integer(0)
    out.integers(shape)
    out.integers(contiguousStrides(shape))
    out.ops(op.NEWFALSE)
    out.emptyOrderedDict()
    out.ops(op.TUPLE, op.REDUCE)
  }
  out.ops(op.SETITEMS)
  const texts = Object.entries(metadata)
  if (texts.length > 0) {
    out.ops(op.EMPTY_DICT, op.MARK)
    out.text('metadata')
    out.ops(op.EMPTY_DICT, op.MARK)
    for (const [key, text] of texts) {
      out.text(key)
      out.text(text)
    }
    out.ops(op.SETITEMS, op.SETITEMS, op.BUILD)
  }
  out.ops(op.STOP)
  return out.bytes()
}

class PickleWriter {
  readonly #parts: Uint8Array[] = []
  readonly #utf8 = new TextEncoder()

  ops(...bytes: number[]): void {
    this.#parts.push(Uint8Array.from(bytes))
  }

  text(text: string): void {
    const utf8 = this.#utf8.encode(text)
    const head = new Uint8Array(5)
    head[0] = op.BINUNICODE
    new DataView(head.buffer).setUint32(1, utf8.length, true)
    this.#parts.push(head, utf8)
  }

  global(module: string, name: string): void {
    this.ops(op.GLOBAL)
    this.#parts.push(this.#utf8.encode(`${module}\n${name}\n`))
  }

  /** An integer >= 0. */
  integer(value: number): void {
    const bytes = new Uint8Array(9)
    const view = new DataView(bytes.buffer)
    if (value < 256) this.ops(op.BININT1, value)
    else if (value < 2 ** 31) {
      view.setInt32(1, value, true)
      bytes[0] = op.BININT
      this.#parts.push(bytes.subarray(0, 5))
    } else {
      this.ops(op.LONG1)
      bytes[0] = 8
      view.setBigInt64(1, BigInt(value), true)
      this.#parts.push(bytes)
    }
  }

  integers(values: readonly number[]): void {
    const short = [op.EMPTY_TUPLE, op.TUPLE1, op.TUPLE2, op.TUPLE3][values.length]
    if (short === undefined) this.ops(op.MARK)
    for (const value of values) this.integer(value)
    this.ops(short ?? op.TUPLE) // from 4 values on
  }

  emptyOrderedDict(): void {
    this.global('collections', 'OrderedDict')
    this.ops(op.EMPTY_TUPLE, op.REDUCE)
  }

  /** A storage of `length` float32 values in the archive's entry data/KEY. */
  storage(key: string, length: number): void {
    this.ops(op.MARK)
    this.text('storage')
    this.global('torch', 'FloatStorage')
    this.text(key)
    this.text('cpu')
    this.integer(length)
    this.ops(op.TUPLE, op.BINPERSID)
  }

  bytes(): Uint8Array {
    return concat(this.#parts)
  }
}
