import { WeightsError } from '../../base/errors.ts'
import type { PickleReader } from './pickleReader.ts'
import { PickleDict, PickleObject } from './pickleValues.ts'

/** What a pickle may name and do beyond plain values. Each rule throws a WeightsError to refuse. */
export interface PickleRules {
  /** The value of `module.name`. */
  global(module: string, name: string): unknown
  /** `callee(*args)`, or `callee.__new__(callee, *args)`. */
  call(callee: unknown, args: readonly unknown[]): unknown
  /** `target.__setstate__(state)`. */
  build(target: unknown, state: unknown): void
  /** The value of a persistent identifier, which refers to data outside the pickle. */
  persistent(id: unknown): unknown
}

/** The stack machine on which the opcodes work. */
export class PickleMachine {
  readonly input: PickleReader
  readonly rules: PickleRules
  readonly memo = new Map<number, unknown>()
  readonly #stack: unknown[] = []
  /** Heights of the stack at each MARK. */
  readonly #marks: number[] = []

  constructor(input: PickleReader, rules: PickleRules) {
    this.input = input
    this.rules = rules
  }

  push(value: unknown): void {
    this.#stack.push(value)
  }

  pop(): unknown {
    this.#requireValues(1)
    return this.#stack.pop()
  }

  /** Removes the last `count` values and returns them, the oldest first. */
  popMany(count: number): unknown[] {
    this.#requireValues(count)
    return this.#stack.splice(-count)
  }

  top(): unknown {
    this.#requireValues(1)
    return this.#stack.at(-1)
  }

  mark(): void {
    this.#marks.push(this.#stack.length)
  }

  /** Removes the last mark and all values above it, and returns these. */
  popMark(): unknown[] {
    const mark = this.#marks.pop()
    if (mark === undefined)
      throw new WeightsError('the pickle is damaged: it refers to a mark that it never set')
    return this.#stack.splice(mark)
  }

  recall(index: number): void {
    if (!this.memo.has(index))
      throw new WeightsError(`the pickle is damaged: it recalls ${index}, which it never stored`)
    this.push(this.memo.get(index))
  }

  /** Appends to a list or set on top of the stack. */
  extend(values: readonly unknown[]): void {
    const top = this.top()
    const list = top instanceof PickleObject ? top.parts : top
    if (!Array.isArray(list))
      throw new WeightsError('the pickle is damaged: it appends to a value that is not a list')
    for (const value of values) list.push(value)
  }

  /** Puts keys and values, by turns, into the dict on top of the stack. */
  setItems(items: readonly unknown[]): void {
    const dict = this.top()
    if (dict instanceof PickleObject) {
      this.extend(items)
      return
    }
    if (!(dict instanceof PickleDict))
      throw new WeightsError(
        'the pickle is damaged: it sets a key of a value that is not a dictionary',
      )
    if (items.length % 2 !== 0)
      throw new WeightsError('the pickle is damaged: a key of a dictionary has no value')
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1])
  }

  call(): void {
    const args = this.pop()
    if (!Array.isArray(args))
      throw new WeightsError('the pickle is damaged: the arguments of a call are not a tuple')
    this.push(this.rules.call(this.pop(), args))
  }

  refuse(opcode: string): never {
    throw new WeightsError(
      `the pickle uses ${opcode}, which no checkpoint needs: refused, nothing in it is executed`,
    )
  }

  #requireValues(count: number): void {
    const bottom = this.#marks.at(-1) ?? 0 // without a mark, the whole stack
    if (this.#stack.length < bottom + count)
      throw new WeightsError('the pickle is damaged: it takes from an empty stack')
  }
}
