/**
 * Reads Python's pickles as data. A pickle is a program for a stack machine; its dangerous opcodes
 * name Python functions and call them. Here the caller's rules decide what a name and a call stand
 * for: nothing is executed. Source: Python,
 * Lib/pickletools.py, which describes every opcode of protocols 0 to 5.
 */
import { WeightsError } from '../../base/errors.ts'
import { PickleMachine, type PickleRules } from './pickleMachine.ts'
import { opcodes } from './pickleOpcodes.ts'
import { PickleReader } from './pickleReader.ts'

/**
 * The most opcodes that are read: a checkpoint of a thousand tensors has some 30,000. Numbers take
 * little memory, and there are more of them: a loss for every step of a long training.
 */
const maxSteps = 500_000
const maxNumbers = 2_000_000
/** None, the booleans, integers of 1, 2 and 4 bytes, and floats. */
const numberCodes = new Set([...'N\x88\x89KMJG'].map((code) => code.charCodeAt(0)))

/** The longest pickle that is read. */
export const maxPickleBytes = 2 ** 25

/**
 * Reads one pickle. Tuples, lists and sets come as arrays, dicts as `PickleDict`, None as null,
 * bytes as Uint8Array, integers beyond 2^53 as bigint, what the rules do not know as
 * `PickleObject`.
 *
 * @param bytes the pickle, and what follows it
 * @returns its value, and the index past its end
 * @throws PickleTruncated where the bytes end before the pickle does, WeightsError for whatever
 * else is wrong with it
 */
export function readPickle(
  bytes: Uint8Array,
  rules: PickleRules,
): { readonly value: unknown; readonly end: number } {
  const machine = new PickleMachine(new PickleReader(bytes), rules)
  const { input } = machine
  for (let steps = 0, numbers = 0; ; ) {
    const at = input.position
    const code = input.byte()
    if (numberCodes.has(code)) numbers++
    else steps++
    if (steps > maxSteps || numbers > maxNumbers)
      throw new WeightsError(
        `the pickle has more than ${steps > maxSteps ? maxSteps : maxNumbers} ` +
          `${steps > maxSteps ? 'opcodes' : 'numbers'}, which no checkpoint has`,
      )
    if (code === stop) return { value: machine.pop(), end: input.position }
    const opcode = opcodes[code]
    if (!opcode)
      throw new WeightsError(
        `byte ${at} of the pickle is 0x${code.toString(16).padStart(2, '0')}, ` +
          'which is not an opcode; damaged',
      )
    opcode(machine)
  }
}

const stop = 0x2e
