import { describe, expect, test } from 'vitest'
import { readArchive } from '../../../src/weights/archive.ts'
import { readPickle } from '../../../src/weights/pytorch/pickle.ts'
import { explain, PickleDict, PickleObject } from '../../../src/weights/pytorch/pickleValues.ts'
import { readTorchArchive, readTorchStream } from '../../../src/weights/pytorch/read.ts'
import { TorchRules } from '../../../src/weights/pytorch/torchRules.ts'
import { objectsIn, tensorOf } from '../../../src/weights/pytorch/torchTensor.ts'
import { bytesSource } from '../../../src/weights/source.ts'
import { archive, bytes, pickle, storage, stream, tensor, u32 } from '../hostile/build.ts'

const { text, global, integer, tuple, dict, call, program } = pickle

const read = (...body: Uint8Array[]) => readPickle(program(...body), new TorchRules()).value
const python = (name: string, ...args: Uint8Array[]) => call(global(name), tuple(...args))
const list = (...items: Uint8Array[]) => bytes('](', ...items, 'e')
const none = bytes('N')
/** Bytes as protocol 2 writes them. */
const raw = (content: string) =>
  python(
    '_codecs.encode',
    bytes('X', u32(Buffer.from(content).length), Buffer.from(content)),
    text('latin1'),
  )
const numpyType = (code: string, order: string) =>
  bytes(
    python('numpy.dtype', text(code), bytes('\x89'), bytes('\x88')),
    tuple(integer(3), text(order), none, none, none, integer(-1), integer(-1), integer(0)),
    'b',
  )
const half = String.fromCharCode(0, 0, 0, 0, 0, 0, 0xe0, 0x3f)

/** Values that ride along in checkpoints, and what they are read as. */
const values: readonly [string, Uint8Array, unknown][] = [
  ['an OrderedDict', python('collections.OrderedDict'), new PickleDict()],
  ['a set', python('__builtin__.set', list(integer(1), integer(2))), [1, 2]],
  ['a frozenset', python('builtins.frozenset', list(text('a'))), ['a']],
  ['a deque', bytes(python('collections.deque', bytes(')'), integer(3)), integer(1), 'a'), [1]],
  ['a complex number', python('__builtin__.complex', integer(1), integer(-2)), '(1-2j)'],
  ['a range', python('__builtin__.xrange', integer(0), integer(5), integer(1)), 'range(0, 5, 1)'],
  ['a slice', python('builtins.slice', integer(1), none, none), 'slice(1, None, None)'],
  ['bytes', raw('a\xff'), Uint8Array.of(0x61, 0xff)],
  ['no bytes', python('__builtin__.bytes'), new Uint8Array()],
  ['a bytearray', python('__builtin__.bytearray', raw('\xff')), Uint8Array.of(0xff)],
  ['a date', python('datetime.date', raw('\x07\xea\x01\x02')), '2026-01-02'],
  ['a time', python('datetime.time', raw('\x01\x02\x03\0\0\0')), '01:02:03'],
  [
    'a date and time',
    python('datetime.datetime', raw('\x07\xea\x0c\x02\x03\x04\x05\0\0\x06')),
    '2026-12-02T03:04:05.000006',
  ],
  [
    'a date and time in UTC',
    python(
      'datetime.datetime',
      raw('\x07\xea\x01\x02\x03\x04\x05\0\0\0'),
      python('datetime.timezone', python('datetime.timedelta', integer(0), integer(0), integer(0))),
    ),
    '2026-01-02T03:04:05Z',
  ],
  [
    'a duration',
    python('datetime.timedelta', integer(1), integer(2), integer(5)),
    '86402.000005 s',
  ],
  ['a torch.Size', python('torch.Size', tuple(integer(3), integer(64))), [3, 64]],
  ['a torch.device', python('torch.device', text('cuda'), integer(1)), 'cuda:1'],
  ['the CPU', python('torch.device', text('cpu')), 'cpu'],
  ['a torch.dtype', global('torch.float32'), 'torch.float32'],
  ['a layout', python('torch.serialization._get_layout', text('torch.strided')), 'torch.strided'],
  ...['numpy.core', 'numpy._core'].flatMap((numpy): [string, Uint8Array, unknown][] => {
    const number = (code: string, content: string) =>
      python(
        `${numpy}.multiarray.scalar`,
        numpyType(code, code.endsWith('1') ? '|' : '<'),
        raw(content),
      )
    return [
      [`a float64 of ${numpy}`, number('f8', half), 0.5],
      [`a float32 of ${numpy}`, number('f4', '\0\0\0\x3f'), 0.5],
      [`a float16 of ${numpy}`, number('f2', '\0\x38'), 0.5],
      [`an int64 of ${numpy}`, number('i8', '\xff'.repeat(8)), -1],
      [`an int32 of ${numpy}`, number('i4', '\xff\xff\xff\x7f'), 2 ** 31 - 1],
      [`a uint8 of ${numpy}`, number('u1', '\xff'), 255],
      [`a bool of ${numpy}`, number('b1', '\x01'), true],
    ]
  }),
]

/** Objects that are not read, and what they are named. */
const objects: readonly [string, Uint8Array, string][] = [
  ['a class', global('torch.optim.sgd.SGD'), 'torch.optim.sgd.SGD'],
  ['a function', global('posix.system'), 'posix.system'],
  ['a call', python('os.system', text('touch pwned')), 'os.system'],
  [
    'an object with attributes',
    bytes(global('argparse.Namespace'), ')\x81', dict(text('lr'), integer(1)), 'b'),
    'argparse.Namespace',
  ],
  [
    'an object with named arguments',
    bytes(global('my.Thing'), ')', dict(text('x'), integer(1)), '\x92'),
    'my.Thing',
  ],
  [
    'an object of protocol 0',
    python('copy_reg._reconstructor', global('my.Config'), global('__builtin__.object'), none),
    'my.Config',
  ],
  ['an object of a class of Python 2', bytes('(', integer(1), 'imy\nOld\n'), 'my.Old'],
  ['the same, its class on the stack', bytes('(', global('my.Old'), integer(1), 'o'), 'my.Old'],
  [
    'a dictionary of a class of its own',
    bytes(global('my.AttributeDict'), ')\x81(', text('lr'), integer(1), 'u'),
    'my.AttributeDict',
  ],
  ['a list of a class of its own', bytes(global('my.List'), ')\x81', integer(1), 'a'), 'my.List'],
  ['a path', python('pathlib.PosixPath', text('/'), text('a')), 'pathlib.PosixPath'],
  ['a member of an enumeration', python('my.Color', integer(1)), 'my.Color'],
  [
    'the same by its name',
    python('__builtin__.getattr', global('my.Color'), text('RED')),
    'my.Color.RED',
  ],
  [
    'known, with other arguments than Python writes',
    python('torch.device', integer(3)),
    'torch.device',
  ],
  [
    'numbers of a type that is not read',
    tensor({ of: storage({ type: 'torch.ComplexFloatStorage', key: '1' }) }),
    'torch.ComplexFloatStorage',
  ],
  [
    'texts of NumPy',
    python('numpy.core.multiarray.scalar', numpyType('U1', '<'), raw('a\0\0\0')),
    'numpy.core.multiarray.scalar',
  ],
]

describe('a value beside the weights', () => {
  test.each(values)('%s is read', (_, body, wanted) => {
    expect(read(body)).toEqual(wanted)
  })

  test('a Counter and a defaultdict are dictionaries', () => {
    const entries = (body: Uint8Array) => {
      const value = read(body)
      return value instanceof PickleDict ? [...value.entries] : null
    }
    const counter = python('collections.Counter', dict(integer(30), integer(1)))
    expect(entries(counter)).toEqual([[30, 1]])
    const lists = python('collections.defaultdict', global('__builtin__.list'))
    expect(entries(bytes(lists, text('a'), ']', 's'))).toEqual([['a', []]])
  })

  test.each(objects)('%s is an object that is named, not made', (_, body, type) => {
    const value = read(body)
    expect(value).toBeInstanceOf(PickleObject)
    expect(value).toMatchObject({ type })
  })

  const formats = [
    [
      'zip',
      async (body: Uint8Array) => {
        const source = bytesSource(archive(body))
        return readTorchArchive(source, await readArchive(source))
      },
    ],
    ['stream', (body: Uint8Array) => readTorchStream(bytesSource(stream(body)))],
  ] as const
  test.each(formats)('does not keep the weights in a %s from being read', async (_, open) => {
    const known = dict(text('state_dict'), dict(text('features.0.bias'), tensor()))
    for (const [name, body] of [...values, ...objects]) {
      const saved = program(known, '(', text('beside'), list(body), 'u')
      const { tensors } = await open(saved)
      expect(Object.keys(tensors), name).toEqual(['features.0.bias'])
    }
  })

  test.each(objects)('%s among the tensors is an error that names it', async (_, body, type) => {
    const saved = program(dict(text('features.0.bias'), tensor(), text('x'), tuple(body)))
    await expect(readTorchStream(bytesSource(stream(saved)))).rejects.toThrow(type)
  })

  test('is found with the keys that lead to it, each once, also in circles', () => {
    const saved = read(
      bytes(dict(text('a'), list(integer(1), global('my.Thing'))), 'q\x00'),
      bytes('(', text('self'), 'h\x00', text('b'), global('my.Other'), 'u'),
    )
    expect(Array.from(objectsIn(saved), ([path, { type }]) => [path, type])).toEqual([
      ['a.1', 'my.Thing'],
      ['b', 'my.Other'],
    ])
  })
})

describe('a tensor', () => {
  const six = Float64Array.of(1, 2, 3, 4, 5, 6)
  const content = Buffer.from(six.buffer).toString('latin1')
  const empty = (numpy: string) =>
    python(`${numpy}.multiarray._reconstruct`, global('numpy.ndarray'), tuple(integer(0)), raw('b'))
  const shape = tuple(integer(2), integer(3))
  const state = (fortran: string) =>
    tuple(integer(1), shape, numpyType('f8', '<'), bytes(fortran), raw(content))

  test.each([
    ['an array of NumPy 1', bytes(empty('numpy.core'), state('\x89'), 'b'), six],
    ['an array of NumPy 2', bytes(empty('numpy._core'), state('\x89'), 'b'), six],
    [
      'an array of NumPy in protocol 5',
      python(
        'numpy._core.numeric._frombuffer',
        raw(content),
        numpyType('f8', '<'),
        shape,
        text('C'),
      ),
      six,
    ],
    [
      'an array in the order of Fortran',
      bytes(empty('numpy.core'), state('\x88'), 'b'),
      [1, 3, 5, 2, 4, 6],
    ],
  ])('may be %s', async (_, body, wanted) => {
    const { tensors } = await readTorchStream(
      bytesSource(stream(program(dict(text('x'), tensor(), text('y'), body)))),
    )
    expect(tensors.y).toEqual({ shape: [2, 3], data: Float32Array.from(wanted), dtype: 'F64' })
  })

  test('an array of objects or big-endian numbers is none', () => {
    for (const type of [numpyType('O8', '|'), numpyType('f8', '>')]) {
      const array = read(
        bytes(
          empty('numpy.core'),
          tuple(integer(1), shape, type, bytes('\x89'), raw(content)),
          'b',
        ),
      )
      expect(tensorOf(array)).toBe(null)
      expect(array).toMatchObject({ type: 'numpy.ndarray' })
    }
  })

  test('may have attributes, lie on plain bytes, or be a parameter with state', () => {
    const args = tuple(
      storage(),
      integer(0),
      tuple(integer(4)),
      tuple(integer(1)),
      bytes('\x89'),
      none,
    )
    const rebuild = global('torch._utils._rebuild_tensor_v2')
    const attributes = python(
      'torch._tensor._rebuild_from_type_v2',
      rebuild,
      global('torch.Tensor'),
      args,
      dict(),
    )
    const plain = storage({ type: 'torch.storage.UntypedStorage', length: integer(16) })
    const v3 = (dtype: string) =>
      python(
        'torch._utils._rebuild_tensor_v3',
        ...[plain, integer(0), tuple(integer(4)), tuple(integer(1)), bytes('\x89'), none],
        global(dtype),
      )
    const parameter = python(
      'torch._utils._rebuild_parameter_with_state',
      tensor(),
      bytes('\x88'),
      none,
      dict(),
    )
    expect(tensorOf(read(attributes))?.storage.dtype).toBe('F32')
    expect(tensorOf(read(parameter))?.storage.dtype).toBe('F32')
    expect(tensorOf(read(v3('torch.uint32')))?.storage).toMatchObject({ dtype: 'U32', length: 4 })
    expect(read(v3('torch.float8_e5m2'))).toMatchObject({ type: 'torch.float8_e5m2' })
  })

  test('whose numbers are those of its storage with another sign is none', () => {
    const views = dict(text('neg'), bytes('\x88'))
    const body = python(
      'torch._utils._rebuild_tensor_v2',
      ...[storage(), integer(0), tuple(integer(4)), tuple(integer(1)), bytes('\x89'), none, views],
    )
    expect(explain(read(body) as PickleObject)).toMatch(/a negated view .*\.clone\(\)/)
  })
})

describe('what is refused by name', () => {
  const layers = (...inside: Uint8Array[]) =>
    dict(text('_parameters'), dict(), text('_modules'), dict(...inside))
  const module = (type: string, ...inside: Uint8Array[]) =>
    bytes(global(type), ')\x81', layers(...inside), 'b')
  const quantized = module('torch.ao.nn.quantized.modules.conv.Conv2d')

  test.each<[string, Uint8Array, RegExp]>([
    [
      'a module',
      module('my.AlexNet'),
      /the checkpoint is a whole module \(my\.AlexNet\).*torch\.save\(model\.state_dict\(\)/,
    ],
    [
      'a module in a dictionary',
      dict(text('model'), module('my.AlexNet')),
      /"model".*a whole module \(my\.AlexNet\)/,
    ],
    [
      'a quantized module',
      module('torch.nn.Sequential', text('0'), quantized),
      /a whole quantized module \(torch\.nn\.Sequential\).*\.dequantize\(\)/,
    ],
    [
      'a quantized tensor',
      dict(text('a'), tensor(), text('b'), python('torch._utils._rebuild_qtensor', none)),
      /"b".*a quantized tensor.*\.dequantize\(\)/,
    ],
    [
      'a sparse tensor',
      dict(text('a'), tensor(), text('b'), python('torch._utils._rebuild_sparse_tensor', none)),
      /"b".*a sparse tensor.*\.to_dense\(\)/,
    ],
  ])('%s', async (_, body, message) => {
    await expect(readTorchStream(bytesSource(stream(program(body))))).rejects.toThrow(message)
  })
})
