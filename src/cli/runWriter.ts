import { access, mkdtemp, rm, rmdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { GraftError, UsageError } from '../base/errors.ts'
import { removeTemporaryFiles } from '../base/node/atomicFile.ts'
import { absolutePath } from '../base/node/fileNames.ts'
import { makeFolder } from '../base/node/folder.ts'
import { holdingRun } from '../base/node/lock.ts'
import { runFiles } from '../base/runFiles.ts'
import { diskFiles } from '../host/node/files.ts'
import type { Network } from '../nn/network.ts'
import { readCheckpoint } from '../train/checkpoint.ts'
import type { EpochResult } from '../train/events.ts'
import {
  type RunConfig,
  readRunConfig,
  writeRunConfig,
  writeRunMetrics,
  writeRunTimings,
  writeRunTrust,
  writeRunWeights,
} from '../train/runFolder.ts'
import { Stopwatch, type Timings } from '../train/timings.ts'

/** The run that a folder holds before training. */
export interface ExistingRun {
  readonly config: RunConfig | null
  /** Finished epochs in its checkpoint. */
  readonly epochs: number
  /** Whether there is a checkpoint to continue from. */
  readonly resumable: boolean
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

/**
 * Runs `body` as the only one that writes to a run folder, if a run may be written there: before
 * anything is computed.
 * @param body receives the run that the folder holds
 * @throws UsageError where the folder is a file, another process writes to it, or it holds a run
 * and neither `resume` nor `force` is set, or its config is damaged, or a pipe stands in the place
 * of a file that a resumed run writes
 */
export async function writingRun<T>(
  folder: string,
  { resume = false, force = false },
  body: (before: ExistingRun) => Promise<T>,
): Promise<T> {
  if (resume && force)
    throw new UsageError('--resume continues a run and --force replaces it: give one of them')
  await checkWritable(folder)
  return holdingRun(folder, async () => body(await existingRun(folder, resume, force)))
}

async function existingRun(folder: string, resume: boolean, force: boolean): Promise<ExistingRun> {
  const present = await Promise.all(
    Object.values(runFiles).map((name) => exists(join(folder, name))),
  )
  if (force || !present.includes(true)) return { config: null, epochs: 0, resumable: false }
  if (!resume)
    throw new UsageError(
      `${folder} holds a run already: --resume continues it, --force replaces it, ` +
        '--out names another folder',
    )
  for (const name of Object.values(runFiles)) await requireWritable(join(folder, name))
  const checkpoint = await readCheckpoint(diskFiles, join(folder, runFiles.checkpoints))
  const written = (await exists(join(folder, runFiles.config))) ? await readRunConfig(folder) : null
  // A training by rounds has its checkpoints in a store.
  const config = checkpoint || written?.options.rounds === true ? written : null
  return { config, epochs: checkpoint?.epochs.length ?? 0, resumable: checkpoint !== null }
}

/** What stands in a run's place: writing to a named pipe would wait for ever. */
async function requireWritable(path: string): Promise<void> {
  const found = await stat(path).catch(() => null)
  if (!found || found.isFile() || found.isDirectory()) return
  throw new UsageError(`${path} is neither a file nor a folder: remove it to continue the run`)
}

/** Finds out before the training whether the folder can be written. */
async function checkWritable(folder: string): Promise<void> {
  for (let place = absolutePath(folder); ; place = dirname(place)) {
    const found = await stat(place).catch(() => null)
    if (!found && place !== dirname(place)) continue
    if (!found?.isDirectory())
      throw new UsageError(`cannot write the run to ${folder}: ${place} is not a folder`)
    try {
      await rmdir(await mkdtemp(join(place, '.graft-')))
    } catch (cause) {
      throw new GraftError(
        'write',
        `cannot write the run to ${folder}: ${place} is not writable; ` +
          'choose another folder with --out',
        { cause },
      )
    }
    return
  }
}

/** Writes a run folder during training; every file is complete at any moment. */
export class RunWriter {
  readonly folder: string
  /** Receives every event of the training, to measure its phases. */
  readonly stopwatch: Stopwatch
  readonly #config: RunConfig
  readonly #replace: boolean
  #epochs: readonly EpochResult[] = []
  #writes: Promise<void> = Promise.resolve()

  /**
   * @param options.replace whether to replace the folder's earlier run
   * @param options.timings of the run's earlier sessions
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

  /** The finished epochs, with those of a resumed run. */
  get epochs(): readonly EpochResult[] {
    return this.#epochs
  }

  /** Adds the epochs of a run that is resumed. */
  resumed(epochs: readonly EpochResult[]): void {
    this.#epochs = epochs
  }

  /** Writes what a checkpoint needs beside it, before the first one. */
  async begin(): Promise<void> {
    // An earlier run's weights must never be beside this one's config.
    if (this.#replace)
      for (const name of Object.values(runFiles).filter((name) => name !== runFiles.checkpoints))
        await rm(join(this.folder, name), { force: true })
    await writeRunConfig(this.folder, this.#config)
  }

  /** Adds a finished epoch, and writes the files in the background. */
  epoch(epoch: EpochResult): void {
    this.#epochs = [...this.#epochs, epoch]
    this.#writes = this.#writes.then(() => this.#writeRecords())
    this.#writes.catch(() => {}) // finish() throws it.
  }

  async #writeRecords(): Promise<void> {
    await makeFolder(this.folder)
    await writeRunConfig(this.folder, this.#config)
    await writeRunMetrics(this.folder, this.#epochs)
  }

  /** Writes the network as it is at the end of the last epoch. */
  async finish(model: Network): Promise<void> {
    await this.#writes
    await removeTemporaryFiles(this.folder)
    await this.#writeRecords()
    if (this.stopwatch.total > 0) await writeRunTimings(this.folder, this.stopwatch.timings)
    // What was learned about an earlier network does not hold for this one.
    await writeRunTrust(this.folder, null)
    await writeRunWeights(this.folder, model, this.#config)
  }

  /**
   * After a failure: saves the network of the last finished epoch, if the device still answers.
   * @returns whether it was saved
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
