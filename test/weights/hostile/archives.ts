/**
 * ZIPs that are bombs, lie about themselves or lead out of their place, and NumPy arrays that are
 * more than arrays.
 */
import {
  archive,
  bytes,
  type Entry,
  type HostileFile,
  pickle,
  soundDict,
  storage,
  tensor,
  u16,
  u32,
  values,
  zip,
} from './build.ts'

const data: Entry = { name: 'archive/data/0', data: values }
const body: Entry = { name: 'archive/data.pkl', data: soundDict }
const zeros = (mebibytes: number) => new Uint8Array(mebibytes * 2 ** 20)

/** A tensor whose storage is sound, of 20 MiB, and takes a thousandth of that in the file. */
const length = pickle.integer(5 * 2 ** 20)
const millions = pickle.program(
  pickle.dict(
    pickle.text('features.0.bias'),
    tensor({ of: storage({ length }), shape: pickle.tuple(length) }),
  ),
)
const twentyMebibytes: Entry = { ...data, data: zeros(20), deflate: true }

const archives: [string, Uint8Array][] = [
  ['a deflated pickle of 20 MiB', zip([{ ...body, data: zeros(20), deflate: true }, data])],
  ['a deflated storage of 20 MiB', zip([{ ...body, data: millions }, twentyMebibytes])],
  ['a deflated storage that is longer', zip([body, { ...data, data: zeros(1), deflate: true }])],
  ['a pickle said to be deflated', zip([{ ...body, method: 8 }, data])],
  ['an unknown compression', zip([{ ...body, method: 99 }, data])],
  ['a deflated pickle of 64 MiB', zip([{ ...body, data: zeros(64), deflate: true }, data])],
  ['a stored pickle of 40 MiB', zip([{ ...body, data: zeros(40) }, data])],
  ['an encrypted pickle', zip([{ ...body, flags: 1 }, data])],
  ['an encrypted storage', zip([body, { ...data, flags: 1 }])],
  ['a wrong checksum', zip([body, { ...data, crc: 7 }])],
  ['a pickle with a wrong checksum', zip([{ ...body, crc: 7 }, data])],
  ['a size of 4 GB', zip([body, { ...data, size: 2 ** 32 - 2, packedSize: 2 ** 32 - 2 }])],
  [
    'a size without its ZIP64 field',
    zip([body, { ...data, size: 2 ** 32 - 1, packedSize: 2 ** 32 - 1 }]),
  ],
  ['a size smaller than it is', zip([body, { ...data, size: 8 }])],
  ['a size greater than it is', zip([body, { ...data, size: 64 }])],
  ['an entry beyond the end', zip([body, { ...data, offset: 10 ** 6 }])],
  ['two entries in one place', zip([body, { ...data, offset: 0 }])],
  ['an entry inside another', zip([body, { ...data, offset: 20 }])],
  ['a name that is another in its place', zip([body, { ...data, localName: 'archive/data/1' }])],
  ['an entry there twice', zip([body, data, data])],
  ['two pickles of one name', zip([body, body, data])],
  ['a pickle alone', zip([body])],
  ['no pickle', zip([data])],
  ['nothing', zip([])],
  ['more entries than it has', zip([body, data], { count: 700 })],
  ['fewer entries than it has', zip([body, data], { count: 1 })],
  [
    '30,000 entries',
    zip([
      body,
      data,
      ...Array.from({ length: 30_000 }, (_, i) => ({
        name: `archive/data/${i + 1}`,
        data: bytes(),
      })),
    ]),
  ],
  [
    'a program of TorchScript',
    zip([body, data, { name: 'archive/constants.pkl', data: bytes('\x80\x02).') }]),
  ],
  ['a big-endian machine', zip([body, data, { name: 'archive/byteorder', data: bytes('big') }])],
  ['a byte order of 1 MB', zip([body, data, { name: 'archive/byteorder', data: zeros(1) }])],
  ...[
    '../data.pkl',
    '../../etc/passwd',
    '/etc/passwd',
    'C:\\evil',
    '..\\..\\evil',
    'archive/../../evil',
    'a\0b',
    './x',
    'a//b',
    '',
  ].map((name): [string, Uint8Array] => [
    `the name ${JSON.stringify(name)}`,
    zip([body, data, { name, data: values }]),
  ]),
  [
    'random bytes after PK',
    bytes(
      'PK\x03\x04',
      new Uint8Array(600).map((_, i) => (i * 197) & 255),
    ),
  ],
  ['words of a document', zip([{ name: 'word/document.xml', data: bytes('<xml/>') }])],
]

/** A .npy file of this header. */
function npy(header: string, content: Uint8Array = values, version = 1): Uint8Array {
  const padded = `${header} `.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 10, ' ')
  return bytes(`\x93NUMPY`, String.fromCharCode(version, 0), u16(padded.length), padded, content)
}

function header(descr: string, shape: string, order = 'False'): string {
  return `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`
}

const arrays: [string, Uint8Array][] = [
  [
    'objects, which are pickles',
    npy(header("'|O'", '(1,)'), bytes('\x80\x02cos\nsystem\nX\x0b\x00\x00\x00touch pwned\x85R.')),
  ],
  ['records', npy(header("[('a', '<f4'), ('b', '|O')]", '(2,)'))],
  ['big-endian numbers', npy(header("'>f4'", '(4,)'))],
  ['texts', npy(header("'<U4'", '(1,)'))],
  ['complex numbers', npy(header("'<c8'", '(2,)'))],
  ['a type that every object has', npy(header("'constructor'", '(4,)'))],
  ['a shape that is a program', npy(header("'<f4'", "__import__('os').system('touch pwned')"))],
  ['an order that is a program', npy(header("'<f4'", '(4,)', "open('pwned', 'w')"))],
  ['a negative size', npy(header("'<f4'", '(-4,)'))],
  ['a size too many', npy(header("'<f4'", '(5,)'))],
  ['a size too few', npy(header("'<f4'", '(3,)'))],
  ['2^60 numbers', npy(header("'<f4'", '(1152921504606846976,)'))],
  ['a shape that overflows', npy(header("'<f4'", '(4294967296, 4294967296, 4294967296)'))],
  ['a shape of digits without end', npy(header("'<f4'", `(${'9'.repeat(5000)},)`))],
  ['no header', npy('')],
  ['a header that ends early', bytes('\x93NUMPY\x01\x00', u16(60_000), '{')],
  ['a header of 4 GB', bytes('\x93NUMPY\x02\x00', u32(2 ** 32 - 1), '{')],
  ['version 9', npy(header("'<f4'", '(4,)'), values, 9)],
  ['no array at all', bytes('these are no numbers')],
  ['an empty file', bytes()],
]

const bombs: [string, Uint8Array][] = [
  [
    'a deflated array of 256 MiB',
    zip([
      { name: 'a.npy', data: npy(header("'|u1'", `(${2 ** 28},)`), zeros(256)), deflate: true },
    ]),
  ],
  [
    'forty deflated arrays of 8 MiB',
    zip(
      Array.from({ length: 40 }, (_, i) => ({
        name: `${i}.npy`,
        data: npy(header("'<f4'", `(${2 ** 21},)`), zeros(8)),
        deflate: true,
      })),
    ),
  ],
  [
    'an array that unpacks to more than it says',
    zip([
      { name: 'a.npy', data: npy(header("'<f4'", '(4,)'), zeros(32)), deflate: true, size: 144 },
    ]),
  ],
  [
    'an array that unpacks to less than it says',
    zip([{ name: 'a.npy', data: npy(header("'<f4'", '(4,)')), deflate: true, size: 2 ** 20 }]),
  ],
  [
    'an array of 4 GB in its own words',
    zip([{ name: 'a.npy', data: npy(header("'<f4'", '(4,)')), deflate: true, size: 2 ** 32 - 2 }]),
  ],
  ['forty arrays that are one', overlapping()],
  [
    'damaged deflate',
    zip([
      {
        name: 'a.npy',
        data: bytes(new Uint8Array(200).map((_, i) => (i * 89) & 255)),
        method: 8,
        size: 4000,
      },
    ]),
  ],
]

/** Many names for one deflated entry, as in the bomb of David Fifield. */
function overlapping(): Uint8Array {
  const shared = {
    data: npy(header("'<f4'", `(${2 ** 20},)`), zeros(4)),
    deflate: true,
    offset: 0,
    localName: '00.npy',
  }
  return zip(
    Array.from({ length: 40 }, (_, i) => ({
      ...shared,
      name: `${String(i).padStart(2, '0')}.npy`,
    })),
  )
}

export const hostileArchives: readonly HostileFile[] = [
  ...archives.map(([title, file]) => ({ title: `zip: ${title}`, files: { 'a.pth': file } })),
  ...arrays.map(([title, array]) => ({
    title: `npz: ${title}`,
    files: { 'a.npz': zip([{ name: 'a.npy', data: array }]) },
  })),
  ...bombs.map(([title, file]) => ({ title: `npz: ${title}`, files: { 'a.npz': file } })),
  {
    title: 'zip: a pickle that says it is a safetensors file',
    files: { 'a.safetensors': archive(soundDict) },
  },
]
