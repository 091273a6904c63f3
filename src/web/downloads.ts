import { BlobWriter, TextReader, Uint8ArrayReader, ZipWriter } from '@zip.js/zip.js/lib/zip-core.js'
import type { StateDict } from '../base/stateDict.ts'
import { metadataOf } from '../nn/metadata.ts'
import type { Network } from '../nn/network.ts'
import { exportOnnx } from '../nn/onnx.ts'
import type { EpochResult } from '../train/events.ts'
import type { RunConfig } from '../train/runFolder.ts'
import type { Timings } from '../train/timings.ts'
import { writePyTorch } from '../weights/pytorch/write.ts'
import { writeSafetensors } from '../weights/safetensors.ts'
import type { Download } from './workerApi.ts'

/** A finished training, as `graft train` would write it to a run folder. */
export interface FinishedRun {
  readonly name: string
  readonly config: RunConfig
  readonly epochs: readonly EpochResult[]
  readonly timings: Timings
  readonly weights: StateDict
}

/** The trained network as one file. */
export async function fileOf(
  format: Download,
  model: Network,
  run: FinishedRun,
): Promise<{ readonly name: string; readonly blob: Blob }> {
  const metadata = metadataOf(model, run.config.classes)
  const file = (ending: string, bytes: Uint8Array) => ({
    name: `${run.name}.${ending}`,
    blob: new Blob([bytes as Uint8Array<ArrayBuffer>], { type: 'application/octet-stream' }),
  })
  if (format === 'onnx') return file('onnx', await exportOnnx(model))
  if (format === 'pytorch') return file('pth', await writePyTorch(run.weights, metadata))
  const safetensors = writeSafetensors(run.weights, metadata)
  if (format === 'safetensors') return file('safetensors', safetensors)
  return { name: `${run.name}.zip`, blob: await runArchive(run, safetensors) }
}

/**
 * A run folder as a ZIP; unpacked, every command of `graft` takes it. Under the page's policy
 * zip.js cannot start workers.
 */
async function runArchive(
  { name, config, epochs, timings }: FinishedRun,
  safetensors: Uint8Array,
): Promise<Blob> {
  const zip = new ZipWriter(new BlobWriter('application/zip'), { useWebWorkers: false })
  const json = (value: unknown) => new TextReader(`${JSON.stringify(value, null, 2)}\n`)
  await zip.add(`${name}/config.json`, json(config))
  await zip.add(
    `${name}/metrics.jsonl`,
    new TextReader(epochs.map((epoch) => `${JSON.stringify(epoch)}\n`).join('')),
  )
  await zip.add(`${name}/timings.json`, json(timings))
  await zip.add(`${name}/weights.safetensors`, new Uint8ArrayReader(safetensors))
  return zip.close()
}
