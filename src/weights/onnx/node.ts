import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  type NodeProto,
  type TensorProto,
} from 'onnx-buf'
import { WeightsError } from '../../base/errors.ts'
import type { NamedArray } from '../../base/stateDict.ts'
import { labeled, quote } from '../arrays.ts'
import { arrayOf, integersOf } from './decode.ts'

/** The meaning of a name in the graph. */
export type Value =
  /** Data that flow through the chain; the shape is that of one image. */
  | { readonly kind: 'activation'; readonly shape: readonly number[] }
  | { readonly kind: 'constant'; readonly tensor: TensorProto }
  /** A shape, or a part of one, that the graph computes; the batch is not known. */
  | { readonly kind: 'extents'; readonly values: readonly (number | 'batch')[] }

/** One node with the values of its inputs. Errors name the node. */
export class NodeView {
  readonly #node: NodeProto
  readonly #label: string
  readonly #inputs: readonly (Value | null)[]
  readonly #asked = new Set<string>()

  /** @param inputs in the node's order; null where one is left out */
  constructor(node: NodeProto, label: string, inputs: readonly (Value | null)[]) {
    this.#node = node
    this.#label = label
    this.#inputs = inputs
  }

  get opType(): string {
    return this.#node.opType
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
  constant(index: number, what: string): TensorProto {
    const value = this.input(index)
    if (value?.kind !== 'constant')
      throw this.error(`has no constant ${what}: it has to be in the file`)
    return value.tensor
  }

  array(index: number, what: string): NamedArray {
    const tensor = this.constant(index, what)
    return this.#naming(() => arrayOf(tensor))
  }

  integers(index: number, what: string): number[] {
    const tensor = this.constant(index, what)
    return this.#naming(() => integersOf(tensor))
  }

  #naming<T>(read: () => T): T {
    try {
      return read()
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

  int(name: string, otherwise: number): number {
    return Number(this.#attribute(name, AttributeType.INT)?.i ?? otherwise)
  }

  ints(name: string, otherwise: readonly number[]): readonly number[] {
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

  tensor(name: string): TensorProto | null {
    return this.#attribute(name, AttributeType.TENSOR)?.t ?? null
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
