import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  type NodeProto,
} from 'onnx-buf'
import { WeightsError } from '../../base/errors.ts'
import type { NamedArray } from '../../base/stateDict.ts'
import { labeled, quote } from '../arrays.ts'
import type { Constant, Tensors } from './tensors.ts'

/** The meaning of a name in the graph. */
export type Value =
  /** Data that flow through the chain; the shape is that of one image. */
  | { readonly kind: 'activation'; readonly shape: readonly number[] }
  | { readonly kind: 'constant'; readonly constant: Constant }
  /** A shape, or a part of one, that the graph computes; the batch is not known. */
  | { readonly kind: 'extents'; readonly values: readonly (number | 'batch')[] }
  | Norm

/** What flows through the chain, while its normalization is computed beside it. */
export interface Norm {
  readonly kind: 'norm'
  /** What is squared, and divided in the end. */
  readonly of: Value
  readonly channels: number
  readonly size?: number
  readonly averaged?: boolean
  readonly alpha?: number
  readonly k?: number
  readonly beta?: number
}

/** One node with the values of its inputs. Errors name the node. */
export class NodeView {
  readonly #node: NodeProto
  readonly #label: string
  readonly #inputs: readonly (Value | null)[]
  readonly #tensors: Tensors
  readonly #asked = new Set<string>()

  /** @param inputs in the node's order; null where one is left out */
  constructor(node: NodeProto, label: string, inputs: readonly (Value | null)[], tensors: Tensors) {
    this.#node = node
    this.#label = label
    this.#inputs = inputs
    this.#tensors = tensors
  }

  get opType(): string {
    return this.#node.opType
  }

  get inputs(): readonly (Value | null)[] {
    return this.#inputs
  }

  /** The error to throw when the node cannot be read. */
  error(reason: string): WeightsError {
    return new WeightsError(`${this.#label} ${reason}`)
  }

  input(index: number): Value | null {
    return this.#inputs[index] ?? null
  }

  /** The shape, for one image, of an input that flows through the chain. */
  activation(index = 0): readonly number[] {
    const value = this.input(index)
    if (value?.kind !== 'activation')
      throw this.error(
        `wants what the layer before it gives as input ${index + 1}, and has something else`,
      )
    return value.shape
  }

  /** One image's [C, H, W]. */
  image(): readonly [number, number, number] {
    const [channels, height, width, ...rest] = this.activation()
    if (channels === undefined || height === undefined || width === undefined || rest.length > 0)
      throw this.error(`wants [N, C, H, W], and has [N, ${this.activation().join(', ')}]`)
    return [channels, height, width]
  }

  /** A constant input. */
  constant(index: number, what: string): Constant {
    const value = this.input(index)
    if (value?.kind !== 'constant')
      throw this.error(`has no constant ${what}: it has to be in the file`)
    return value.constant
  }

  array(index: number, what: string): Promise<NamedArray> {
    const constant = this.constant(index, what)
    return this.#naming(() => constant.array())
  }

  /** An input of one number, as a ratio or a bound is. */
  async number(index: number, what: string): Promise<number> {
    const { data } = await this.array(index, what)
    const [value] = data
    if (value === undefined || data.length !== 1)
      throw this.error(`has ${data.length} numbers as its ${what}, and one is wanted`)
    return decimal(value)
  }

  /** The integers of an input that the graph holds or computes: a shape, axes. */
  async integers(index: number, what: string): Promise<readonly number[]> {
    const values = await this.extents(index, what)
    return values.map((value) => {
      if (value === 'batch') throw this.error(`computes its ${what} from the size of the batch`)
      return value
    })
  }

  /** A shape, or a part of one. */
  async extents(index: number, what: string): Promise<readonly (number | 'batch')[]> {
    const value = this.input(index)
    if (value?.kind === 'extents') return value.values
    if (value?.kind === 'activation')
      throw this.error('rearranges what flows through the chain, which is not read')
    const constant = this.constant(index, what)
    return this.#naming(() => constant.integers())
  }

  /** Integers that were an attribute before they became an input; null if they are left out. */
  async integersOrAttribute(index: number, name: string): Promise<readonly number[] | null> {
    const attribute = this.ints(name, null)
    return attribute ?? (this.input(index) ? this.integers(index, name) : null)
  }

  async #naming<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (cause) {
      throw labeled(this.#label, cause)
    }
  }

  #attribute(name: string, type: AttributeType): AttributeProto | null {
    this.#asked.add(name)
    const found = this.#node.attribute.filter((attribute) => attribute.name === name)
    const [attribute] = found
    if (!attribute) return null
    // Files of the first IR versions leave the type out.
    if (
      found.length > 1 ||
      attribute.refAttrName ||
      (attribute.type !== type && attribute.type !== AttributeType.UNDEFINED)
    )
      throw this.error(`has a damaged attribute ${quote(name)}`)
    return attribute
  }

  has(name: string): boolean {
    return this.#node.attribute.some((attribute) => attribute.name === name)
  }

  int(name: string, otherwise: number): number {
    return Number(this.#attribute(name, AttributeType.INT)?.i ?? otherwise)
  }

  ints<T extends readonly number[] | null>(name: string, otherwise: T): T | readonly number[] {
    return this.#attribute(name, AttributeType.INTS)?.ints.map(Number) ?? otherwise
  }

  float(name: string, otherwise: number): number {
    const value = decimal(this.#attribute(name, AttributeType.FLOAT)?.f ?? otherwise)
    if (!Number.isFinite(value))
      throw this.error(`has ${name} ${value}, which is not a finite number`)
    return value
  }

  text(name: string, otherwise: string): string {
    const attribute = this.#attribute(name, AttributeType.STRING)
    return attribute ? new TextDecoder().decode(attribute.s) : otherwise
  }

  /** A constant that the node itself holds, in one of its attributes. */
  tensor(name: string): Constant | null {
    const tensor = this.#attribute(name, AttributeType.TENSOR)?.t
    return tensor ? this.#tensors.constant(tensor) : null
  }

  floats(name: string): readonly number[] | null {
    return this.#attribute(name, AttributeType.FLOATS)?.floats ?? null
  }

  /** An attribute that has one value in every network that Graft reads. */
  fixed(name: string, found: number | string, wanted: number | string): void {
    if (found !== wanted) throw this.error(`has ${name} ${found}, and only ${wanted} is read`)
  }

  /** Throws for an attribute that was not read, rather than ignoring it. */
  refuseOthers(): void {
    const other = this.#node.attribute.find(({ name }) => !this.#asked.has(name))
    if (other) throw this.error(`has the attribute ${quote(other.name)}, which is not read`)
  }
}

/** The shortest decimal number that is the same in float32: 0.3 for 0.30000001192092896. */
export function decimal(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits))
    if (Math.fround(rounded) === Math.fround(value)) return rounded
  }
  return value
}
