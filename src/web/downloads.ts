import { BlobWriter, TextReader, Uint8ArrayReader, ZipWriter } from '@zip.js/zip.js/lib/zip-core.js'
import type { StateDict } from '../base/stateDict.ts'
import { metadataOf } from '../nn/metadata.ts'
import type { Network } from '../nn/network.ts'
import { exportOnnx } from '../nn/onnx.ts'
import type { EpochResult } from '../train/events.ts'
import type { RunConfig } from '../train/runConfig.ts'
import type { Timings } from '../train/timings.ts'
import type { Trust } from '../train/trust.ts'
import { trustText } from '../train/trustFile.ts'
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
  /** Null where there were too few images to judge by. */
  readonly trust: Trust | null
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
  if (format === 'safetensors') return file('safetensors', writeSafetensors(run.weights, metadata))
  return { name: `${run.name}.zip`, blob: await runArchive(model, run) }
}

/**
 * A run folder as a ZIP; unpacked, every command of `graft` takes it. Under the page's policy
 * zip.js cannot start workers.
 */
async function runArchive(model: Network, run: FinishedRun): Promise<Blob> {
  const zip = new ZipWriter(new BlobWriter('application/zip'), { useWebWorkers: false })
  await addRun(zip, run.name, model, run)
  return zip.close()
}

/** Adds the files of a run folder to an archive. */
export async function addRun(
  zip: ZipWriter<Blob>,
  folder: string,
  model: Network,
  { config, epochs, timings, weights, trust }: FinishedRun,
): Promise<void> {
  const json = (value: unknown) => new TextReader(`${JSON.stringify(value, null, 2)}\n`)
  const lines = epochs.map((epoch) => `${JSON.stringify(epoch)}\n`).join('')
  const metadata = metadataOf(model, config.classes)
  await zip.add(`${folder}/config.json`, json(config))
  await zip.add(`${folder}/metrics.jsonl`, new TextReader(lines))
  await zip.add(`${folder}/timings.json`, json(timings))
  if (trust) await zip.add(`${folder}/trust.json`, new TextReader(trustText(trust)))
  await zip.add(
    `${folder}/weights.safetensors`,
    new Uint8ArrayReader(writeSafetensors(weights, metadata)),
  )
}
