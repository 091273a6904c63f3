import type { ImageDataset } from '../data/dataset.ts'
import type { Network } from '../nn/network.ts'
import type { Checkpoint, EpochPart } from './checkpoint.ts'
import { trainEpoch } from './epoch.ts'
import type { FitSettings } from './options/defaults.ts'
import { Session } from './session.ts'
import { Snapshots } from './snapshots.ts'

/** What some steps of a training came to. */
export interface LocalSteps {
  /** The state after them, without the time that they took: the same steps leave the same bytes. */
  readonly state: Checkpoint
  /** Sums over the images trained on. */
  readonly loss: number
  readonly correct: number
  readonly count: number
  /** The head's learning rate in the last step. */
  readonly lr: number
}

/**
 * Makes the next steps of a training, without validation: those that `fit` would make, over as many
 * epochs as they take. They are fewer where the last epoch ends before.
 * @param before the state that they start from; null for a new training
 * @throws the signal's reason once it is aborted
 */
export async function localSteps(
  model: Network,
  data: ImageDataset,
  settings: FitSettings,
  before: Checkpoint | null,
  steps: number,
): Promise<LocalSteps> {
  const session = new Session(model, data, settings)
  try {
    if (before) session.restore(before)
    const start = before ?? (await session.readState())
    const snapshots = new Snapshots(model.engine.host.files, settings, start, start, false)
    let [loss, correct, count, lr] = [0, 0, 0, 0]
    for (let left = steps; left > 0 && session.epoch <= settings.epochs; ) {
      const { train } = await session.open()
      const from = session.part
      const trained = await trainEpoch(session, train, snapshots, Number.POSITIVE_INFINITY, left)
      settings.signal?.throwIfAborted()
      const to = session.part as EpochPart | null
      if (!trained || !to) throw new Error('an epoch that is not aborted has a part')
      left -= to.steps - (from?.steps ?? 0)
      loss += to.loss - (from?.loss ?? 0)
      correct += to.correct - (from?.correct ?? 0)
      count += to.count - (from?.count ?? 0)
      lr = to.lr
      session.part = { ...to, seconds: 0 }
      if (trained.cutShort) continue
      // What is not known stays out: only the number of finished epochs counts here.
      const { loss: trainLoss, accuracy: trainAccuracy } = trained
      const unknown = { valLoss: 0, valAccuracy: 0, seconds: 0 }
      session.epochs = [
        ...session.epochs,
        { epoch: session.epoch, trainLoss, trainAccuracy, ...unknown },
      ]
      session.part = null
    }
    return { state: await session.readState(), loss, correct, count, lr }
  } finally {
    await session.dispose()
  }
}
