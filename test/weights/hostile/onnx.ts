import { hostileFiles, own } from '../onnx/files.ts'
import type { HostileFile } from './build.ts'

/**
 * Broken, contradictory and oversized ONNX graphs, cyclic ones among them, and one of Graft's own
 * cut short in many places.
 */
export const onnxGraphs: readonly HostileFile[] = [
  ...Object.entries(hostileFiles).map(([title, [bytes]]) => ({
    title: `onnx: ${title}`,
    files: { 'a.onnx': bytes },
  })),
  ...Array.from({ length: Math.ceil(own.length / 7) }, (_, i) => ({
    title: `onnx: cut after ${7 * i} bytes`,
    files: { 'a.onnx': own.subarray(0, 7 * i) },
  })),
]
