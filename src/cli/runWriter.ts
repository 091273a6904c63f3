import { access, mkdir, mkdtemp, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { GraftError, UsageError } from '../base/errors.ts'
import { removeTemporaryFiles } from '../base/node/atomicFile.ts'
import { diskFiles } from '../host/node/files.ts'
import type { Network } from '../nn/network.ts'
import { readCheckpoint } from '../train/checkpoint.ts'
import type { EpochResult } from '../train/events.ts'
import {
  type RunConfig,
  readRunConfig,
  runFiles,
  writeRunConfig,
  writeRunMetrics,
  writeRunTimings,
  writeRunWeights,
} from '../train/runFolder.ts'
import { Stopwatch, type Timings } from '../train/timings.ts'

/** What a folder holds before training. */
export interface ExistingRun {
  readonly config: RunConfig | null
  /** Epochs that its checkpoint has behind it. */
  readonly epochs: number
  /** Whether there is a checkpoint to go on from. */
  readonly resumable: boolean
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

/**
 * Makes sure that a run may be written to a folder, before anything is computed.
 * @throws UsageError where the folder is a file, holds a run that nobody said to replace or go on
 * with, or has a damaged config
 */
export async function checkOut(
  folder: string,
  { resume = false, force = false },
): Promise<ExistingRun> {
  if (resume && force)
    throw new UsageError('--resume goes on with a run and --force replaces it: give one of them')
  await checkWritable(folder)
  const present = await Promise.all(
    Object.values(runFiles).map((name) => exists(join(folder, name))),
  )
  if (force || !present.includes(true)) return { config: null, epochs: 0, resumable: false }
  if (!resume)
    throw new UsageError(
      `${folder} holds a run already: --resume goes on with it, --force replaces it, --out names another folder`,
    )
  const checkpoint = await readCheckpoint(diskFiles, join(folder, runFiles.checkpoints))
  const config =
    checkpoint && (await exists(join(folder, runFiles.config))) ? await readRunConfig(folder) : null
  return { config, epochs: checkpoint?.epochs.length ?? 0, resumable: checkpoint !== null }
}

/** Finds out now rather than after an hour of training that the folder cannot be made. */
async function checkWritable(folder: string): Promise<void> {
  for (let place = resolve(folder); ; place = dirname(place)) {
    const found = await stat(place).catch(() => null)
    if (!found && place !== dirname(place)) continue
    if (!found?.isDirectory())
      throw new UsageError(`cannot write the run to ${folder}: ${place} is not a folder`)
    try {
      await rmdir(await mkdtemp(join(place, '.graft-')))
    } catch (cause) {
      throw new GraftError(
        'write',
        `cannot write the run to ${folder}: nothing can be made in ${place}; choose another place with --out`,
        {
          cause,
        },
      )
    }
    return
  }
}

/** Writes a run folder, from the first checkpoint on; every file is whole at any moment. */
export class RunWriter {
  readonly folder: string
  /** Told of every event of the training, it knows where the time goes. */
  readonly stopwatch: Stopwatch
  readonly #config: RunConfig
  readonly #replace: boolean
  #epochs: readonly EpochResult[] = []
  #writes: Promise<void> = Promise.resolve()

  /**
   * @param options.replace whether the folder's earlier run gives way
   * @param options.timings what earlier sessions of the run took
   */
  constructor(
    folder: string,
    config: RunConfig,
    options: { readonly replace?: boolean; readonly timings?: Partial<Timings> } = {},
  ) {
    this.folder = folder
    this.stopwatch = new Stopwatch(options.timings)
    this.#config = config
    this.#replace = options.replace ?? false
  }

  get checkpoints(): string {
    return join(this.folder, runFiles.checkpoints)
  }

  /** The finished epochs, those of a resumed run included. */
  get epochs(): readonly EpochResult[] {
    return this.#epochs
  }

  /** Takes over the epochs of a run that is gone on with. */
  resumed(epochs: readonly EpochResult[]): void {
    this.#epochs = epochs
  }

  /** Writes what a checkpoint needs beside it; awaited before the first one. */
  async begin(): Promise<void> {
    // An earlier run's weights must not stand beside this one's config, not even for a moment.
    if (this.#replace)
      for (const name of [runFiles.weights, runFiles.metrics, runFiles.config, runFiles.timings])
        await rm(join(this.folder, name), { force: true })
    await writeRunConfig(this.folder, this.#config)
  }

  /** Notes a finished epoch; the files follow. */
  epoch(epoch: EpochResult): void {
    this.#epochs = [...this.#epochs, epoch]
    this.#writes = this.#writes.then(() => this.#writeRecords())
    this.#writes.catch(() => {}) // Met by finish().
  }

  async #writeRecords(): Promise<void> {
    await mkdir(this.folder, { recursive: true })
    await writeRunConfig(this.folder, this.#config)
    await writeRunMetrics(this.folder, this.#epochs)
  }

  /** Writes the network as it is at the end of the last epoch. */
  async finish(model: Network): Promise<void> {
    await this.#writes
    await removeTemporaryFiles(this.folder)
    await this.#writeRecords()
    if (this.stopwatch.total > 0) await writeRunTimings(this.folder, this.stopwatch.timings)
    await writeRunWeights(this.folder, model, this.#config)
  }

  /**
   * After a failure, which leaves the network at the end of the last finished epoch: keeps that, as
   * far as the device still answers.
   */
  async rescue(model: Network): Promise<boolean> {
    if (this.#epochs.length === 0) return false
    try {
      await this.finish(model)
      return true
    } catch {
      return false
    }
  }
}
