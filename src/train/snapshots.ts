import { DeviceLostError } from '../base/errors.ts'
import type { Files } from '../host/host.ts'
import { type Checkpoint, clearCheckpoints, writeCheckpoint } from './checkpoint.ts'
import type { Settings } from './fitOptions.ts'

/** What checkpoints within an epoch may take at most, as one part of so many. */
const timeShare = 20

/**
 * The states a training can go back to: the newest one, and the end of the last epoch. With a
 * folder, they are written to it.
 */
export class Snapshots {
  /** The newest state that is whole on the host. */
  newest: Checkpoint
  /**
   * The end of the last finished epoch, or the start; null where a run went on within an epoch and
   * that file is gone.
   */
  epochEnd: Checkpoint | null
  readonly #files: Files
  readonly #settings: Settings
  #begun: boolean
  #swept = false
  #dueAt: number
  #underWay: Promise<void> | null = null

  /**
   * @param files where the settings' folder lies
   * @param start where the training begins, or goes on
   * @param resumed whether the folder's checkpoints are this training's own
   */
  constructor(
    files: Files,
    settings: Settings,
    start: Checkpoint,
    epochEnd: Checkpoint | null,
    resumed: boolean,
  ) {
    this.#files = files
    this.#settings = settings
    this.newest = start
    this.epochEnd = epochEnd
    this.#begun = resumed
    this.#dueAt = performance.now() + 1000 * settings.checkpointSeconds
  }

  /** Whether it is time for a state within an epoch. */
  get due(): boolean {
    return this.#underWay === null && performance.now() >= this.#dueAt
  }

  /**
   * Takes a state within an epoch, in the background. A disk that refuses it is no reason to stop:
   * the end of the epoch will tell.
   * @param state reads it back
   */
  take(state: () => Promise<Checkpoint>): void {
    const begun = performance.now()
    this.#underWay = this.#keep(state)
      .catch((error: unknown) => {
        // The loop itself meets a lost device.
        if (error instanceof DeviceLostError) return
        this.#settings.onEvent?.({
          type: 'remark',
          message: error instanceof Error ? error.message : String(error),
        })
      })
      .finally(() => {
        this.#underWay = null
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
   * Takes the end of an epoch.
   * @param write whether it is a place to go on from
   * @throws GraftError with code `write` where it cannot be written
   */
  async endEpoch(checkpoint: Checkpoint, write: boolean): Promise<void> {
    await this.idle()
    this.newest = checkpoint
    this.epochEnd = checkpoint
    if (write) await this.write(checkpoint)
  }

  /** Writes a state to the folder, where there is one. */
  async write(checkpoint: Checkpoint): Promise<void> {
    const { checkpoint: folder, beforeCheckpoint } = this.#settings
    if (!folder) return
    if (!this.#swept) await this.#files.sweep(folder)
    this.#swept = true
    if (!this.#begun) {
      // Before anything else goes: a run that is killed in between would be gone on with from an
      // earlier one's.
      await clearCheckpoints(this.#files, folder)
      await beforeCheckpoint?.()
      this.#begun = true
    }
    await writeCheckpoint(this.#files, folder, checkpoint)
  }

  /** Waits for the state that is being taken. */
  async idle(): Promise<void> {
    await this.#underWay
  }
}
