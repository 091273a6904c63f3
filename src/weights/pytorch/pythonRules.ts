/**
 * Values of Python's own library that ride along in checkpoints, and those of `torch` that are no
 * tensors. What JavaScript has no value for comes as text. Source: Python, Lib/copyreg.py and
 * Modules/_datetimemodule.c (`__reduce__`); PyTorch, torch/_weights_only_unpickler.py, which lists
 * what its safe mode reads.
 */
import { PickleDict, PickleObject } from './pickleValues.ts'

/**
 * The value that a call stands for, by its arguments; undefined where they are not those that
 * Python writes.
 */
export type Rebuild = (args: readonly unknown[]) => unknown

const isNumber = (value: unknown): value is number => typeof value === 'number'
const list: Rebuild = ([items = []]) => (Array.isArray(items) ? [...items] : undefined)
const bytes: Rebuild = ([content = '']) => bytesOf(content)

/** As Python prints it: 'range(0, 5, 1)'. */
const printed =
  (name: string): Rebuild =>
  (args) =>
    args.every((value) => value === null || isNumber(value))
      ? `${name}(${args.map((value) => value ?? 'None').join(', ')})`
      : undefined

/** An object made without a call of its class. */
const made: Rebuild = ([type, ...args]) =>
  type instanceof PickleObject ? new PickleObject(type.type, args) : undefined

/** Python's functions and classes by their full names. */
export const pythonFunctions: Readonly<Record<string, Rebuild>> = {
  'collections.OrderedDict': ([items = []]) => dictOf(items),
  'collections.Counter': ([counts = []]) => dictOf(counts),
  'collections.defaultdict': () => new PickleDict(),
  'collections.deque': list,
  'builtins.dict': ([items = []]) => dictOf(items),
  'builtins.list': list,
  'builtins.tuple': list,
  'builtins.set': list,
  'builtins.frozenset': list,
  'builtins.bytearray': bytes,
  'builtins.bytes': bytes,
  '_codecs.encode': bytes,
  'builtins.complex': ([re, im]) =>
    isNumber(re) && isNumber(im) ? `(${re}${im < 0 ? '-' : '+'}${Math.abs(im)}j)` : undefined,
  'builtins.range': printed('range'),
  'builtins.xrange': printed('range'),
  'builtins.slice': printed('slice'),
  'datetime.date': ([state]) => dateOf(state, 4),
  'datetime.time': ([state]) => timeOf(state, 0),
  'datetime.datetime': ([state, zone = '']) => {
    const [date, time] = [dateOf(state, 10), timeOf(state, 4)]
    return date && time && typeof zone === 'string' ? `${date}T${time}${zone}` : undefined
  },
  'datetime.timezone': ([offset]) => (offset === '0 s' ? 'Z' : undefined),
  'datetime.timedelta': ([days, seconds, micros]) =>
    isNumber(days) && isNumber(seconds) && isNumber(micros)
      ? `${86_400 * days + seconds + micros / 1e6} s`
      : undefined,
  'copyreg._reconstructor': made,
  'copyreg.__newobj__': made,
  // The member of an enumeration.
  'builtins.getattr': ([type, name]) =>
    type instanceof PickleObject && typeof name === 'string'
      ? new PickleObject(`${type.type}.${name}`)
      : undefined,
  'torch.Size': list,
  'torch.device': ([type, index]) =>
    typeof type === 'string' ? `${type}${isNumber(index) ? `:${index}` : ''}` : undefined,
  'torch.serialization._get_layout': ([name]) => (typeof name === 'string' ? name : undefined),
}

/** The names by which Python 2, and protocols up to 2, know modules. */
export const renamedModules: Readonly<Record<string, string>> = {
  __builtin__: 'builtins',
  copy_reg: 'copyreg',
  'torch.cuda': 'torch',
  'numpy._core.multiarray': 'numpy.core.multiarray',
  'numpy._core.numeric': 'numpy.core.numeric',
}

/** A dictionary of another one's entries, or of pairs. */
function dictOf(items: unknown): PickleDict | undefined {
  const dict = new PickleDict()
  const pairs: unknown = items instanceof PickleDict ? [...items.entries] : items
  if (!Array.isArray(pairs)) return undefined
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) return undefined
    dict.set(pair[0], pair[1])
  }
  return dict
}

/** Bytes as they are, or from a text of which every character is one. */
function bytesOf(content: unknown): Uint8Array | undefined {
  if (content instanceof Uint8Array) return content
  return typeof content === 'string'
    ? Uint8Array.from(content, (character) => character.charCodeAt(0))
    : undefined
}

const digits = (value: number, count = 2) => `${value}`.padStart(count, '0')

/** 2 bytes of the year, the month, the day; `length` bytes with what follows. */
function dateOf(state: unknown, length: number): string | undefined {
  if (!(state instanceof Uint8Array) || state.length !== length) return undefined
  const view = new DataView(state.buffer, state.byteOffset)
  // The month's first bit says which of two equal hours it is when clocks are put back.
  const [month, day] = [view.getUint8(2) & 0x7f, view.getUint8(3)]
  return `${digits(view.getUint16(0), 4)}-${digits(month)}-${digits(day)}`
}

/** Hour, minute, second, 3 bytes of microseconds, from `start` to the end. */
function timeOf(state: unknown, start: number): string | undefined {
  if (!(state instanceof Uint8Array) || state.length !== start + 6) return undefined
  const view = new DataView(state.buffer, state.byteOffset + start)
  const micros = view.getUint32(2) & 0xffffff
  const clock = [view.getUint8(0) & 0x7f, view.getUint8(1), view.getUint8(2)]
  return clock.map((part) => digits(part)).join(':') + (micros ? `.${digits(micros, 6)}` : '')
}
