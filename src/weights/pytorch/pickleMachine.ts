import { WeightsError } from '../../base/errors.ts'
import type { PickleReader } from './pickleReader.ts'

/**
 * What a pickle may name and do beyond plain values. Each throws a WeightsError for what it does
 * not allow.
 */
export interface PickleRules {
  /** What stands for `module.name`. */
  global(module: string, name: string): unknown
  /** `callee(*args)`, or `callee.__new__(callee, *args)`. */
  call(callee: unknown, args: readonly unknown[]): unknown
  /** `target.__setstate__(state)`. */
  build(target: unknown, state: unknown): void
  /** What a persistent identifier stands for: a thing that lies outside of the pickle. */
  persistent(id: unknown): unknown
}

/** A Python dict, or an OrderedDict: entries in order. */
export class PickleDict {
  /** The attributes that an OrderedDict was given. */
  attributes: PickleDict | null = null
  // Made when it is needed: a pickle asks for an empty dictionary with one byte, and an empty Map
  // takes two hundred.
  #entries: Map<unknown, unknown> | null = null

  get entries(): ReadonlyMap<unknown, unknown> {
    return this.#entries ?? none
  }

  set(key: unknown, value: unknown): void {
    this.#entries ??= new Map()
    this.#entries.set(key, value)
  }
}

const none: ReadonlyMap<unknown, unknown> = new Map()

/** The stack machine: what the opcodes work on. */
export class PickleMachine {
  readonly input: PickleReader
  readonly rules: PickleRules
  readonly memo = new Map<number, unknown>()
  readonly #stack: unknown[] = []
  /** Heights of the stack where MARK was met. */
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

  /** Takes the last `count` values, in the order in which they came. */
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

  /** Takes everything above the last mark, and the mark. */
  popMark(): unknown[] {
    const mark = this.#marks.pop()
    if (mark === undefined)
      throw new WeightsError('the pickle is damaged: it takes from a mark that it never set')
    return this.#stack.splice(mark)
  }

  recall(index: number): void {
    if (!this.memo.has(index))
      throw new WeightsError(`the pickle is damaged: it recalls ${index}, which it never kept`)
    this.push(this.memo.get(index))
  }

  /** Appends to a list or set on top of the stack. */
  extend(values: readonly unknown[]): void {
    const list = this.top()
    if (!Array.isArray(list))
      throw new WeightsError('the pickle is damaged: it appends to what is no list')
    for (const value of values) list.push(value)
  }

  /** Puts keys and values, by turns, into the dict on top of the stack. */
  setItems(items: readonly unknown[]): void {
    const dict = this.top()
    if (!(dict instanceof PickleDict))
      throw new WeightsError('the pickle is damaged: it sets a key of what is no dictionary')
    if (items.length % 2 !== 0)
      throw new WeightsError('the pickle is damaged: a key of a dictionary has no value')
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1])
  }

  call(): void {
    const args = this.pop()
    if (!Array.isArray(args))
      throw new WeightsError('the pickle is damaged: it calls with what is no tuple')
    this.push(this.rules.call(this.pop(), args))
  }

  refuse(opcode: string): never {
    throw new WeightsError(
      `the pickle uses ${opcode}, which checkpoints do without: refused, nothing in it is executed`,
    )
  }

  #requireValues(count: number): void {
    if (this.#stack.length < (this.#marks.at(-1) ?? 0) + count)
      throw new WeightsError('the pickle is damaged: it takes from an empty stack')
  }
}
