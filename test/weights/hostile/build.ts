/** How hostile files are put together by hand: bytes, pickles, archives. */
import { crc32, deflateRawSync } from 'node:zlib'

/** A file that nobody should open, and what lies beside it. */
export interface HostileFile {
  /** What is wrong with it, for people. */
  readonly title: string
  /** Files by name, the first of which is opened. */
  readonly files: Readonly<Record<string, Uint8Array>>
}

/**
 * Bytes from text of which every character is a byte, and from bytes. They lie in memory of their
 * own, not in the one that Node shares among small buffers: files live as long as the tests.
 */
export function bytes(...parts: (string | Uint8Array)[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)),
    ),
  )
}

/** Numbers as they lie in a file, little-endian. */
export const u16 = (value: number) => bytes(String.fromCharCode(value & 255, value >>> 8))
export const u32 = (value: number) => bytes(u16(value & 0xffff), u16(value >>> 16))
export const u64 = (value: bigint) =>
  bytes(u32(Number(value & 0xffffffffn)), u32(Number(value >> 32n)))

/** Parts of a pickle. */
export const pickle = {
  text: (text: string) => bytes('X', u32(text.length), text),
  global: (name: string) =>
    bytes(
      'c',
      name.slice(0, name.lastIndexOf('.')),
      '\n',
      name.slice(name.lastIndexOf('.') + 1),
      '\n',
    ),
  integer: (value: number) => bytes('J', u32(value >>> 0)),
  long: (value: bigint) => bytes('\x8a\x08', u64(BigInt.asUintN(64, value))),
  tuple: (...items: Uint8Array[]) => bytes('(', ...items, 't'),
  dict: (...items: Uint8Array[]) => bytes('}(', ...items, 'u'),
  call: (callee: Uint8Array, args: Uint8Array) => bytes(callee, args, 'R'),
  program: (...ops: (string | Uint8Array)[]) => bytes('\x80\x02', ...ops, '.'),
}

const { text, global, integer, tuple, call, program } = pickle

/** A storage by its persistent identifier. */
export function storage({
  type = 'torch.FloatStorage',
  key = '0',
  length = integer(4),
  window = bytes(),
} = {}): Uint8Array {
  return bytes(tuple(text('storage'), global(type), text(key), text('cpu'), length, window), 'Q')
}

/** A tensor of a storage. */
export function tensor({
  of = storage(),
  offset = integer(0),
  shape = tuple(integer(4)),
  strides = tuple(integer(1)),
  rebuild = 'torch._utils._rebuild_tensor_v2',
} = {}): Uint8Array {
  return call(global(rebuild), tuple(of, offset, shape, strides, bytes('\x89'), bytes('N')))
}

/** Four numbers, which the storage "0" holds. */
export const values = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer)

/**
 * The older format around a pickle: its header, the pickle, the list of storages, and their
 * numbers.
 */
export function stream(
  body: Uint8Array,
  {
    keys = program(bytes(']'), text('0'), 'a'),
    data = bytes(u64(4n), values),
    system = sound.system,
  } = {},
) {
  return bytes(sound.magic, sound.version, system, body, keys, data)
}

const sound = {
  magic: program('\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19'),
  version: program('M\xe9\x03'),
  system: program(pickle.dict(text('little_endian'), bytes('\x88'))),
}
export const streamParts = sound

/** One entry of an archive; what is not given is as it should be. */
export interface Entry {
  readonly name: string
  readonly data: Uint8Array
  readonly deflate?: boolean
  readonly flags?: number
  readonly method?: number
  readonly crc?: number
  /** What the directory announces. */
  readonly size?: number
  readonly packedSize?: number
  readonly offset?: number
  readonly localName?: string
}

/** How the records at a ZIP's end are written. */
export interface ZipEnd {
  readonly count?: number
  /**
   * 'besides': the records for large archives stand there, and are not needed, as PyTorch writes
   * them; 'needed': sizes, places and the count lie in them alone.
   */
  readonly zip64?: 'none' | 'besides' | 'needed'
  readonly comment?: string
}

/** A ZIP of these entries. */
export function zip(
  entries: readonly Entry[],
  { count = entries.length, zip64 = 'none', comment = '' }: ZipEnd = {},
): Uint8Array {
  const needed = zip64 === 'needed'
  const locals: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let at = 0
  for (const { name, data, deflate = false, flags = 0, localName = name, ...lies } of entries) {
    const packed = deflate ? deflateRawSync(data, { level: 9 }) : data
    const {
      method = deflate ? 8 : 0,
      crc = crc32(data),
      size = data.length,
      packedSize = packed.length,
      offset = at,
    } = lies
    const common = (packedBytes: number, unpackedBytes: number, extra: Uint8Array) =>
      bytes(
        u16(flags),
        u16(method),
        u32(0),
        u32(crc),
        u32(packedBytes),
        u32(unpackedBytes),
        u16(name.length),
        u16(extra.length),
      )
    const short = (value: number) => (needed ? 2 ** 32 - 1 : value)
    const long = needed
      ? bytes(u16(1), u16(24), u64(BigInt(size)), u64(BigInt(packedSize)), u64(BigInt(offset)))
      : bytes()
    const local = common(packedSize, size, bytes())
    locals.push(bytes('PK\x03\x04', u16(20), local, localName, packed))
    directory.push(
      bytes(
        'PK\x01\x02',
        u16(20),
        u16(20),
        common(short(packedSize), short(size), long),
        u16(0),
        u16(0),
        u16(0),
        u32(0),
        u32(short(offset)),
        name,
        long,
      ),
    )
    at += locals.at(-1)?.length ?? 0
  }
  const listed = bytes(...directory)
  const counts = needed ? [u16(0xffff), u16(0xffff)] : [u16(count), u16(count)]
  const places = needed ? [u32(2 ** 32 - 1), u32(2 ** 32 - 1)] : [u32(listed.length), u32(at)]
  return bytes(
    ...locals,
    listed,
    zip64 === 'none' ? '' : end64(count, listed.length, at),
    'PK\x05\x06',
    u32(0),
    ...counts,
    ...places,
    u16(comment.length),
    comment,
  )
}

/** The records for large archives: the end of the directory, and the locator of that. */
function end64(count: number, length: number, at: number): Uint8Array {
  const versions = bytes(u16(45), u16(45))
  return bytes(
    'PK\x06\x06',
    u64(44n),
    versions,
    u32(0),
    u32(0),
    u64(BigInt(count)),
    u64(BigInt(count)),
    u64(BigInt(length)),
    u64(BigInt(at)),
    'PK\x06\x07',
    u32(0),
    u64(BigInt(at + length)),
    u32(1),
  )
}

/** The ZIP format around a pickle. */
export function archive(body: Uint8Array, ...more: Entry[]): Uint8Array {
  return zip([
    { name: 'archive/data.pkl', data: body },
    { name: 'archive/data/0', data: values },
    ...more,
  ])
}

/** A sound state_dict of one tensor. */
export const soundDict = program(pickle.dict(text('features.0.bias'), tensor()))
