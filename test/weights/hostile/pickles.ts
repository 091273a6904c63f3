/** Checkpoints whose pickle is a program that somebody wrote to do harm, or damaged. */
import {
  archive,
  bytes,
  type HostileFile,
  pickle,
  storage,
  stream,
  tensor,
  u32,
  u64,
} from './build.ts'
import { streams } from './streams.ts'

const { text, global, integer, long, tuple, dict, call, program } = pickle

/** What attackers call, and what they reach it by. */
const functions = [
  ...[
    'os.system',
    'posix.system',
    'nt.system',
    'subprocess.Popen',
    'subprocess.check_output',
    'os.execv',
    'os.remove',
    'shutil.rmtree',
  ],
  ...[
    'builtins.eval',
    'builtins.exec',
    'builtins.getattr',
    'builtins.__import__',
    'builtins.open',
    'builtins.compile',
    '__builtin__.apply',
  ],
  ...[
    '__builtin__.execfile',
    'importlib.import_module',
    'runpy.run_path',
    'runpy._run_code',
    'timeit.timeit',
    'webbrowser.open',
    'pty.spawn',
  ],
  ...[
    'pickle.loads',
    '_pickle.loads',
    'marshal.loads',
    'codecs.encode',
    'functools.partial',
    'operator.attrgetter',
    'operator.methodcaller',
  ],
  ...[
    'types.FunctionType',
    'types.CodeType',
    'socket.socket',
    'urllib.request.urlopen',
    'ctypes.CDLL',
    'pip.main',
    'pdb.run',
    'bdb.Bdb.run',
  ],
  ...[
    'torch.load',
    'torch.hub.load',
    'torch.jit.load',
    'torch.utils.cpp_extension.load',
    'torch.storage._load_from_bytes',
    'torch.ops.load',
  ],
  ...[
    'torch._utils._rebuild_sparse_tensor',
    'torch._utils._rebuild_qtensor',
    'torch._utils._rebuild_tensor_v3',
    'torch._utils.eval',
  ],
  ...[
    'torch._tensor._rebuild_from_type_v2',
    'torch.nn.modules.container.Sequential',
    'torchvision.models.alexnet.AlexNet',
  ],
  ...[
    'numpy.core.multiarray._reconstruct',
    'numpy.core.multiarray.scalar',
    'numpy.dtype',
    'collections.defaultdict',
    'collections.Counter',
  ],
  ...[
    'collections.OrderedDict.fromkeys',
    'collections.__proto__',
    'torch.__proto__',
    'torch.constructor',
    'constructor.constructor',
  ],
  ...[
    'torch.ComplexFloatStorage',
    'torch.QInt8Storage',
    'torch.UntypedStorage',
    'torch.storage.TypedStorage',
    'torch.Storage',
  ],
]

const command = text('touch pwned')

/** Every function called, in both ways in which a name is given, and merely named. */
const calls: [string, Uint8Array][] = functions.flatMap((name): [string, Uint8Array][] => [
  [`calls ${name}`, program(dict(text('x'), call(global(name), tuple(command))))],
  [
    `names ${name} from the stack`,
    program(
      text(name.slice(0, name.lastIndexOf('.'))),
      text(name.slice(name.lastIndexOf('.') + 1)),
      '\x93',
      tuple(command),
      'R',
    ),
  ],
])

const programs: [string, Uint8Array][] = [
  ...calls,
  ['calls by INST', program('(', command, 'ios\nsystem\n')],
  ['calls by OBJ', program('(', global('collections.OrderedDict'), command, 'o')],
  ['makes by NEWOBJ', program(global('os.system'), tuple(command), '\x81')],
  ['makes by NEWOBJ_EX', program(global('collections.OrderedDict'), ')', '}', '\x92')],
  ['extension 1', program('\x82\x01')],
  ['extension 2', program('\x83\x01\x00')],
  ['extension 4', program('\x84\x01\x00\x00\x00')],
  ['a persistent name in text', program('P0\n')],
  ['a buffer from outside', program('\x97')],
  ['a read-only buffer', program(')', '\x98')],
  ['calls a text', program(command, ')R')],
  ['calls a dictionary', program('})R')],
  ['calls a tensor', program(tensor(), ')R')],
  ['calls with what is no tuple', program(global('collections.OrderedDict'), command, 'R')],
  ['calls a storage type', program(global('torch.FloatStorage'), ')R')],
  ['sets attributes of a tensor', program(tensor(), dict(text('__class__'), command), 'b')],
  ['sets attributes of a storage', program(storage(), dict(text('x'), command), 'b')],
  [
    'sets attributes of a type',
    program(global('torch.FloatStorage'), dict(text('x'), command), 'b'),
  ],
  [
    'a module with its source',
    program(
      tuple(text('module'), global('collections.OrderedDict'), text('x.py'), text('import os')),
      'Q',
    ),
  ],
  ['something outside that is no storage', program(tuple(text('other'), text('0')), 'Q')],
  ['an identifier that is no tuple', program(integer(3), 'Q')],
  [
    'a storage of no type',
    program(tuple(text('storage'), text('float'), text('0'), text('cpu'), integer(4)), 'Q'),
  ],
  ['an OrderedDict of a text', program(call(global('collections.OrderedDict'), tuple(command)))],
  [
    'an OrderedDict of triples',
    program(
      call(global('collections.OrderedDict'), tuple(tuple(tuple(command, command, command)))),
    ),
  ],

  ['takes from an empty stack', program('0')],
  ['takes from beneath a mark', program(command, '(0')],
  ['a mark that never was', program('t')],
  ['a memo that never was', program('h\x07')],
  ['a memo that is no number', program('gseven\n')],
  ['appends to a text', program(command, command, 'a')],
  ['sets a key of a list', program(']', command, command, 's')],
  ['a key without a value', program('}(', command, 'u')],
  ['protocol 9', bytes('\x80\x09.')],
  ['no opcode', program('\xff')],
  ['an integer in letters', program('Iseven\n')],
  ['a text with escapes', program("S'\\x41'\n")],
  ['a stack that is empty at its end', program()],

  ['text of 4 GiB', program('X\xff\xff\xff\xff', 'abc')],
  ['bytes of 2^63', program('\x8e', u64(2n ** 63n), 'abc')],
  ['text of 2^63', program('\x8d', u64(2n ** 63n), 'abc')],
  ['an array of 2^40 bytes', program('\x96', u64(2n ** 40n), 'abc')],
  ['an integer of 2^31 bytes', program('\x8b', u32(2 ** 31 - 1), 'abc')],
  ['an integer of 255 bytes', program('\x8a\xff', 'a'.repeat(255))],
  ['a memo filled at 2^32', program(command, 'r\xff\xff\xff\xff', 'j\xff\xff\xff\xfe')],

  [
    'a million calls',
    program(')', bytes(call(global('collections.OrderedDict'), bytes(')'))), 'cos\nsystem\n'),
  ],
  [
    'a REDUCE bomb',
    program(global('collections.OrderedDict'), 'q\x00', '(', `${'h\x00)R'.repeat(400_000)}`, 't'),
  ],
  ['two million lists', program('(', ']'.repeat(2_000_000), 'l')],
  ['two million dictionaries', program('(', '}'.repeat(2_000_000), 'l')],
  ['two million marks', program('('.repeat(2_000_000))],
  ['two million copies', program(']', '2'.repeat(2_000_000))],
  ['a list in a list, 300,000 deep', program(']'.repeat(300_000), 'a'.repeat(299_999))],
  ['a tuple in a tuple, 400,000 deep', program(')', '\x85'.repeat(400_000))],
  ['keys that are deep tuples', program('}', ')', '\x85'.repeat(300_000), 'Ns')],
  ['a list doubled 200 times', program(']', '2a'.repeat(1), '22\x86'.repeat(200))],
  ['a list that holds itself', program(']q\x00h\x00a')],
  ['a dictionary that holds itself', program('}q\x00', text('state_dict'), 'h\x00s')],
  [
    'a dictionary as its own attributes',
    program(call(global('collections.OrderedDict'), bytes(')')), 'q\x00h\x00b'),
  ],
  [
    'a dictionary in a dictionary, 100,000 deep',
    program(
      bytes(...Array.from({ length: 100_000 }, () => bytes('}', text('model')))),
      'N',
      's'.repeat(100_000),
    ),
  ],

  ['nothing but a number', program(integer(3))],
  ['None', program('N')],
  ['a single tensor', program(tensor())],
  ['a list of tensors', program(']', tensor(), 'a')],
  ['an empty dictionary', program('}')],
  [
    'a dictionary without tensors',
    program(dict(text('epoch'), integer(7), text('lr'), text('0.1'))),
  ],
  [
    'an empty state_dict beside an optimizer',
    program(dict(text('state_dict'), dict(), text('optimizer'), dict(text('x'), tensor()))),
  ],
  ['a tensor without a name', program(dict(integer(3), tensor()))],
  ['a tensor that is a number', program(dict(text('x'), integer(3)))],

  ['a tensor beyond its storage', program(dict(text('x'), tensor({ shape: tuple(integer(5)) })))],
  [
    'a tensor that begins beyond its storage',
    program(dict(text('x'), tensor({ offset: integer(1) }))),
  ],
  ['an offset below 0', program(dict(text('x'), tensor({ offset: long(-1n) })))],
  ['a size below 0', program(dict(text('x'), tensor({ shape: tuple(integer(-4)) })))],
  [
    'a stride below 0',
    program(dict(text('x'), tensor({ offset: integer(3), strides: tuple(integer(-1)) }))),
  ],
  ['a size that is a text', program(dict(text('x'), tensor({ shape: tuple(text('4')) })))],
  [
    'a size that is no integer',
    program(dict(text('x'), tensor({ shape: tuple(bytes('G\x40\x00\x00\x00\x00\x00\x00\x01')) }))),
  ],
  ['a shape that is no tuple', program(dict(text('x'), tensor({ shape: integer(4) })))],
  [
    'more sizes than strides',
    program(dict(text('x'), tensor({ shape: tuple(integer(2), integer(2)) }))),
  ],
  [
    'a hundred dimensions',
    program(dict(text('x'), tensor({ shape: tuple(...ones(100)), strides: tuple(...ones(100)) }))),
  ],
  [
    'one number spread over 4 TB',
    program(dict(text('x'), tensor({ shape: tuple(long(2n ** 40n)), strides: tuple(integer(0)) }))),
  ],
  [
    'one number spread over 1 GB',
    program(
      dict(text('x'), tensor({ shape: tuple(integer(2 ** 28)), strides: tuple(integer(0)) })),
    ),
  ],
  ['many numbers spread over 1 GB', program(spread(2 ** 12, 2 ** 16))],
  [
    'a shape that overflows',
    program(
      dict(
        text('x'),
        tensor({
          shape: tuple(long(2n ** 40n), long(2n ** 40n)),
          strides: tuple(integer(0), integer(0)),
        }),
      ),
    ),
  ],
  [
    'a stride that overflows',
    program(dict(text('x'), tensor({ shape: tuple(integer(2)), strides: tuple(long(2n ** 52n)) }))),
  ],
  [
    'a storage of 2^50 numbers',
    program(dict(text('x'), tensor({ of: storage({ length: long(2n ** 50n) }) }))),
  ],
  [
    'a storage longer than it is',
    program(dict(text('x'), tensor({ of: storage({ length: integer(5) }) }))),
  ],
  [
    'a storage shorter than it is',
    program(
      dict(text('x'), tensor({ of: storage({ length: integer(3) }), shape: tuple(integer(3)) })),
    ),
  ],
  [
    'a storage of a negative length',
    program(dict(text('x'), tensor({ of: storage({ length: integer(-4) }) }))),
  ],
  [
    'a storage of another type',
    program(dict(text('x'), tensor({ of: storage({ type: 'torch.DoubleStorage' }) }))),
  ],
  [
    'a storage of two types',
    program(
      dict(text('x'), tensor(), text('y'), tensor({ of: storage({ type: 'torch.IntStorage' }) })),
    ),
  ],
  [
    'a storage of two lengths',
    program(
      dict(
        text('x'),
        tensor(),
        text('y'),
        tensor({ of: storage({ length: integer(2) }), shape: tuple(integer(2)) }),
      ),
    ),
  ],
  ['a storage that is not there', program(dict(text('x'), tensor({ of: storage({ key: '1' }) })))],
  [
    'a storage named as a path',
    program(dict(text('x'), tensor({ of: storage({ key: '../../../etc/passwd' }) }))),
  ],
  [
    'a window that leaves its storage',
    program(
      dict(
        text('x'),
        tensor({ of: storage({ window: tuple(text('0'), integer(3), integer(2)) }) }),
      ),
    ),
  ],
  ['a tensor of what is no storage', program(dict(text('x'), tensor({ of: text('0') })))],
  [
    'a tensor without arguments',
    program(dict(text('x'), call(global('torch._utils._rebuild_tensor_v2'), bytes(')')))),
  ],
]

function ones(count: number): Uint8Array[] {
  return Array.from({ length: count }, () => integer(1))
}

/** A dictionary of `count` tensors of `size` numbers each, all of one number. */
function spread(count: number, size: number): Uint8Array {
  const each = tensor({ shape: tuple(integer(size)), strides: tuple(integer(0)) })
  return dict(...Array.from({ length: count }, (_, i) => [text(`x${i}`), each]).flat())
}

/** Every program in both formats, and the rest. */
export const pickles: readonly HostileFile[] = [
  ...programs.flatMap(([title, body]) => [
    { title: `zip: ${title}`, files: { 'a.pth': archive(body) } },
    { title: `stream: ${title}`, files: { 'a.pth': stream(body) } },
  ]),
  ...streams.map(([title, file]) => ({ title: `stream: ${title}`, files: { 'a.pth': file } })),
]
