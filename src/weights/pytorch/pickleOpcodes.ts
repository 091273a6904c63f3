import { WeightsError } from '../../base/errors.ts'
import { decodeText } from '../arrays.ts'
import type { PickleMachine } from './pickleMachine.ts'
import { narrow } from './pickleReader.ts'
import { PickleDict } from './pickleValues.ts'

type Opcode = (machine: PickleMachine) => void

/** An opcode that pushes what `value` reads. */
const pushes =
  (value: (machine: PickleMachine) => unknown): Opcode =>
  (machine) =>
    machine.push(value(machine))

/** An opcode that makes a tuple of the last `count` values. */
const tuple =
  (count: number): Opcode =>
  (machine) =>
    machine.push(machine.popMany(count))

const refused =
  (name: string): Opcode =>
  (machine) =>
    machine.refuse(name)

/** An opcode whose operand is a memo index. */
const keeps =
  (index: (machine: PickleMachine) => number): Opcode =>
  (machine) =>
    machine.memo.set(index(machine), machine.top())

const recalls =
  (index: (machine: PickleMachine) => number): Opcode =>
  (machine) =>
    machine.recall(index(machine))

const lineIndex = ({ input }: PickleMachine) => Number(input.line())

/** Protocol 0 writes integers as text, and booleans as 00 and 01. */
function lineInteger({ input }: PickleMachine): number | bigint | boolean {
  const line = input.line()
  if (line === '00' || line === '01') return line === '01'
  if (!/^-?\d{1,40}L?$/.test(line))
    throw new WeightsError('the pickle is damaged: an integer in it is not written in digits')
  return narrow(BigInt(line.replace('L', '')))
}

/** Protocol 0 writes text between quotes; Python's escapes, which no name needs, are refused. */
function lineString({ input }: PickleMachine): string {
  const line = input.line()
  const inner = /^(['"])(.*)\1$/.exec(line)?.[2]
  if (inner === undefined || inner.includes('\\'))
    throw new WeightsError('the pickle is damaged, or has an escape in a text of protocol 0')
  return inner
}

function namedByLines({ input, rules }: PickleMachine): unknown {
  return rules.global(input.line(), input.line())
}

function dictOf(items: readonly unknown[], machine: PickleMachine): void {
  machine.push(new PickleDict())
  machine.setItems(items)
}

/** Every opcode by its byte, except STOP, which the reader handles. */
export const opcodes: Readonly<Record<number, Opcode>> = {
  // Frame and stack
  128: ({ input }) => {
    const protocol = input.byte()
    if (protocol > 5)
      throw new WeightsError(
        `the pickle is of protocol ${protocol}, and 0 to 5 are read; save it again with protocol 2`,
      )
  }, // PROTO
  149: ({ input }) => void input.length64(), // FRAME
  40: (machine) => machine.mark(), // MARK
  48: (machine) => void machine.pop(), // POP
  49: (machine) => void machine.popMark(), // POP_MARK
  50: (machine) => machine.push(machine.top()), // DUP

  // Plain values
  78: pushes(() => null), // NONE
  136: pushes(() => true), // NEWTRUE
  137: pushes(() => false), // NEWFALSE
  73: pushes(lineInteger), // INT
  76: pushes(lineInteger), // LONG
  74: pushes(({ input }) => input.int32()), // BININT
  75: pushes(({ input }) => input.byte()), // BININT1
  77: pushes(({ input }) => input.uint16()), // BININT2
  138: pushes(({ input }) => input.integer(input.byte())), // LONG1
  139: pushes(({ input }) => input.integer(input.uint32())), // LONG4
  70: pushes(({ input }) => Number(input.line())), // FLOAT
  71: pushes(({ input }) => input.float64()), // BINFLOAT
  83: pushes(lineString), // STRING
  84: pushes(({ input }) => decodeText(input.take(input.uint32()))), // BINSTRING
  85: pushes(({ input }) => decodeText(input.take(input.byte()))), // SHORT_BINSTRING
  86: pushes(({ input }) => input.line()), // UNICODE
  88: pushes(({ input }) => decodeText(input.take(input.uint32()))), // BINUNICODE
  140: pushes(({ input }) => decodeText(input.take(input.byte()))), // SHORT_BINUNICODE
  141: pushes(({ input }) => decodeText(input.take(input.length64()))), // BINUNICODE8
  66: pushes(({ input }) => input.take(input.uint32())), // BINBYTES
  67: pushes(({ input }) => input.take(input.byte())), // SHORT_BINBYTES
  142: pushes(({ input }) => input.take(input.length64())), // BINBYTES8
  150: pushes(({ input }) => input.take(input.length64())), // BYTEARRAY8

  // Tuples, lists, sets, dictionaries
  41: pushes(() => []), // EMPTY_TUPLE
  133: tuple(1), // TUPLE1
  134: tuple(2), // TUPLE2
  135: tuple(3), // TUPLE3
  116: pushes((machine) => machine.popMark()), // TUPLE
  93: pushes(() => []), // EMPTY_LIST
  108: pushes((machine) => machine.popMark()), // LIST
  97: (machine) => machine.extend([machine.pop()]), // APPEND
  101: (machine) => machine.extend(machine.popMark()), // APPENDS
  143: pushes(() => []), // EMPTY_SET
  144: (machine) => machine.extend(machine.popMark()), // ADDITEMS
  145: pushes((machine) => machine.popMark()), // FROZENSET
  125: pushes(() => new PickleDict()), // EMPTY_DICT
  100: (machine) => dictOf(machine.popMark(), machine), // DICT
  115: (machine) => {
    const value = machine.pop()
    machine.setItems([machine.pop(), value])
  }, // SETITEM
  117: (machine) => machine.setItems(machine.popMark()), // SETITEMS

  // The memo
  112: keeps(lineIndex), // PUT
  113: keeps(({ input }) => input.byte()), // BINPUT
  114: keeps(({ input }) => input.uint32()), // LONG_BINPUT
  148: keeps(({ memo }) => memo.size), // MEMOIZE
  103: recalls(lineIndex), // GET
  104: recalls(({ input }) => input.byte()), // BINGET
  106: recalls(({ input }) => input.uint32()), // LONG_BINGET

  // Names and calls: by the rules, or not at all
  99: pushes(namedByLines), // GLOBAL
  147: (machine) => {
    const [module, name] = [machine.pop(), machine.pop()].reverse()
    if (typeof module !== 'string' || typeof name !== 'string')
      throw new WeightsError('the pickle is damaged: a module or name is not text')
    machine.push(machine.rules.global(module, name))
  }, // STACK_GLOBAL
  82: (machine) => machine.call(), // REDUCE
  129: (machine) => machine.call(), // NEWOBJ
  146: (machine) => {
    const [callee, args, named] = machine.popMany(3)
    const positional: unknown[] = Array.isArray(args) ? args : [args]
    machine.push(machine.rules.call(callee, [...positional, named]))
  }, // NEWOBJ_EX
  105: (machine) => {
    const callee = namedByLines(machine)
    machine.push(machine.rules.call(callee, machine.popMark()))
  }, // INST
  111: (machine) => {
    const [callee, ...args] = machine.popMark()
    machine.push(machine.rules.call(callee, args))
  }, // OBJ
  98: (machine) => {
    const state = machine.pop()
    machine.rules.build(machine.top(), state)
  }, // BUILD
  81: pushes((machine) => machine.rules.persistent(machine.pop())), // BINPERSID

  80: refused('PERSID'),
  130: refused('EXT1'),
  131: refused('EXT2'),
  132: refused('EXT4'),
  151: refused('NEXT_BUFFER'),
  152: refused('READONLY_BUFFER'),
}
