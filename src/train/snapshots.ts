import { DeviceLostError } from '../base/errors.ts'
import type { Files } from '../host/host.ts'
import { type Checkpoint, clearCheckpoints, writeCheckpoint } from './checkpoint.ts'
import type { FitSettings } from './options/defaults.ts'

/** Checkpoints within an epoch take at most one part in so many of the time. */
const timeShare = 20

/**
 * The saved states of a training, on the host: the newest one, and the end of the last finished
 * epoch. If there is a checkpoint folder, they are also written to it.
 */
export class Snapshots {
  /** The newest state that has arrived on the host. */
  newest: Checkpoint
  /**
   * The end of the last finished epoch, or the start; null where a run was resumed within an epoch
   * and that file is missing.
   */
  epochEnd: Checkpoint | null
  readonly #files: Files
  readonly #settings: FitSettings
  /** Whether the folder's checkpoints are this training's own. */
  #owned: boolean
  #swept = false
  #dueAt: number
  /** The state that is being read back and written. */
  #pending: Promise<void> | null = null

  /**
   * @param files for the settings' checkpoint folder
   * @param start the state at which training starts or resumes
   * @param resumed whether the folder's checkpoints are this training's own
   */
  constructor(
    files: Files,
    settings: FitSettings,
    start: Checkpoint,
    epochEnd: Checkpoint | null,
    resumed: boolean,
  ) {
    this.#files = files
    this.#settings = settings
    this.newest = start
    this.epochEnd = epochEnd
    this.#owned = resumed
    this.#dueAt = performance.now() + 1000 * settings.checkpointSeconds
  }

  /** Whether it is time to save a state within an epoch. */
  get due(): boolean {
    return this.#pending === null && performance.now() >= this.#dueAt
  }

  /**
   * Saves a state within an epoch, in the background. If it cannot be written, training continues:
   * the write at the end of the epoch fails then, if the cause lasts.
   * @param state reads the state back
   */
  take(state: () => Promise<Checkpoint>): void {
    const begun = performance.now()
    this.#pending = this.#keep(state)
      .catch((error: unknown) => {
        // The training loop notices a lost device itself.
        if (error instanceof DeviceLostError) return
        this.#settings.onEvent?.({
          type: 'remark',
          message: error instanceof Error ? error.message : String(error),
        })
      })
      .finally(() => {
        this.#pending = null
        const now = performance.now()
        this.#dueAt =
          now + Math.max(1000 * this.#settings.checkpointSeconds, timeShare * (now - begun))
      })
  }

  async #keep(state: () => Promise<Checkpoint>): Promise<void> {
    const checkpoint = await state()
    await this.write(checkpoint)
    this.newest = checkpoint
  }

  /**
   * Saves the end of an epoch.
   * @param write whether a run may resume from it
   * @throws GraftError with code `write` if it cannot be written
   */
  async endEpoch(checkpoint: Checkpoint, write: boolean): Promise<void> {
    await this.idle()
    this.newest = checkpoint
    this.epochEnd = checkpoint
    if (write) await this.write(checkpoint)
  }

  /** Writes a state to the checkpoint folder, if there is one. */
  async write(checkpoint: Checkpoint): Promise<void> {
    const { checkpoint: folder, beforeCheckpoint } = this.#settings
    if (!folder) return
    if (!this.#swept) await this.#files.sweep(folder)
    this.#swept = true
    if (!this.#owned) {
      // First of all: if this run were killed now, the next one would resume an earlier training.
      await clearCheckpoints(this.#files, folder)
      await beforeCheckpoint?.()
      this.#owned = true
    }
    await writeCheckpoint(this.#files, folder, checkpoint)
  }

  /** Waits for the state that is being saved. */
  async idle(): Promise<void> {
    await this.#pending
  }
}
