/**
 * Model-local functions: nodes that stand for other nodes,
 * https://github.com/onnx/onnx/blob/main/docs/IR.md#functions.
 */
import type { AttributeProto, FunctionProto, ModelProto, NodeProto } from 'onnx-buf'
import { at } from '../../base/at.ts'
import { WeightsError } from '../../base/errors.ts'
import { quote } from '../arrays.ts'

/** Functions may call each other this deep. */
const maxDepth = 32
/** The most nodes that a graph may have with its functions put in their places. */
const maxNodes = 20_000

/** Whether a node's domain is that of ONNX's own operators. */
export function isOnnxDomain(domain: string): boolean {
  return domain === '' || domain === 'ai.onnx'
}

/**
 * The nodes of a graph, with the nodes of the model's own functions in place of their calls.
 * @throws WeightsError for functions that call themselves, or that stand for too many nodes
 */
export function inlined(nodes: readonly NodeProto[], { functions }: ModelProto): NodeProto[] {
  if (functions.length === 0) return [...nodes]
  const byKey = new Map(functions.map((one) => [keyOf(one.domain, one.name, one.overload), one]))
  // Looked up once for each node of the file: long names make that slow.
  const calledBy = new Map<NodeProto, FunctionProto | undefined>()
  for (const node of [...nodes, ...functions.flatMap((one) => one.node)])
    calledBy.set(node, byKey.get(keyOf(node.domain, node.opType, node.overload)))
  const result: NodeProto[] = []
  let seen = 0
  const add = (node: NodeProto, written: NodeProto, depth: number) => {
    const called = calledBy.get(written)
    if (++seen > maxNodes)
      throw new WeightsError(
        `the graph and its functions have more than ${maxNodes} nodes, ` +
          'too many for a network that Graft reads',
      )
    if (!called) {
      result.push(node)
      return
    }
    if (depth === maxDepth)
      throw new WeightsError(
        `the function ${quote(called.name)} is called more than ${maxDepth} deep, or by itself`,
      )
    const body = bodyOf(called, node, `${node.name || node.opType}.${seen}`)
    for (const [i, inner] of body.entries()) add(inner, at(called.node, i), depth + 1)
  }
  for (const node of nodes) add(node, node, 0)
  return result
}

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([isOnnxDomain(domain) ? '' : domain, name, overload])
}

/**
 * A function's nodes with the names and attributes of one call.
 * @param prefix of the names that exist only inside of it
 */
function bodyOf(called: FunctionProto, call: NodeProto, prefix: string): NodeProto[] {
  const names = new Map<string, string>([['', '']])
  for (const [i, name] of called.output.entries())
    names.set(name, call.output[i] || `${prefix}/${name}`)
  for (const [i, name] of called.input.entries()) names.set(name, call.input[i] ?? '')
  const bound = (name: string) => names.get(name) ?? `${prefix}/${name}`
  const given = new Map<string, AttributeProto>(
    [...called.attributeProto, ...call.attribute].map((one) => [one.name, one]),
  )
  return called.node.map((node) =>
    changed(node, {
      name: call.name && node.name ? `${call.name}/${node.name}` : node.name,
      input: node.input.map(bound),
      output: node.output.map(bound),
      attribute: node.attribute.flatMap((attribute) => {
        if (!attribute.refAttrName) return [attribute]
        const value = given.get(attribute.refAttrName)
        return value ? [changed(value, { name: attribute.name })] : []
      }),
    }),
  )
}

/** A copy with other fields. Messages have their default values in their prototype. */
function changed<T extends object>(message: T, fields: Partial<T>): T {
  return Object.assign(
    Object.create(Object.getPrototypeOf(message) as object) as T,
    message,
    fields,
  )
}
