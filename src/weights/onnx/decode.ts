/**
 * The ONNX format: a protocol-buffers message,
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto and docs/IR.md. The messages are
 * onnx-buf's, ONNX's own definitions compiled for @bufbuild/protobuf, which refuses nesting deeper
 * than 100.
 */
import { fromBinary } from '@bufbuild/protobuf'
import { type GraphProto, type ModelProto, ModelProtoSchema } from 'onnx-buf'
import { WeightsError } from '../../base/errors.ts'
import type { WeightsPlace } from '../place.ts'
import { maxDepth, readSkeleton } from './skeleton.ts'
import { Tensors } from './tensors.ts'

/** An ONNX file: its messages, and access to its tensors. */
export interface OnnxModel {
  readonly model: ModelProto
  readonly graph: GraphProto
  readonly tensors: Tensors
}

/**
 * Reads the messages of an ONNX file.
 * @throws WeightsError if it is not an ONNX file, is cut short, damaged, or far larger in memory
 * than on disk
 */
export async function readModel(place: WeightsPlace): Promise<OnnxModel> {
  if (place.source.size === 0) throw new WeightsError('the file is empty, not an ONNX model')
  let model: ModelProto
  let tensors: Tensors
  try {
    const { messages, pieces } = await readSkeleton(place.source)
    tensors = new Tensors(place, pieces)
    model = fromBinary(ModelProtoSchema, messages, {
      readUnknownFields: false,
      recursionLimit: maxDepth,
    })
  } catch (cause) {
    if (cause instanceof WeightsError) throw cause
    const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause)
    throw new WeightsError(
      `this is not an ONNX model, or it is cut short or damaged (${reason}); export it again`,
      { cause },
    )
  }
  if (!model.graph)
    throw new WeightsError(
      'the file holds no graph: it is not an ONNX model, or it is cut short; export it again',
    )
  return { model, graph: model.graph, tensors }
}
