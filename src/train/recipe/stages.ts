/** Epochs in which the same layer groups train. Counted from 1, both ends included. */
export interface Stage {
  readonly first: number
  readonly last: number
  /** How many groups train, counted from the head. */
  readonly groups: number
}

/**
 * Epochs of one schedule of the learning rate: those of the head alone, those after them, or all.
 */
export interface Phase {
  readonly kind: 'head' | 'rest' | 'all'
  readonly first: number
  readonly last: number
}

/**
 * Gradual unfreezing: the head alone for `headEpochs`, then one more group every `unfreezeEvery`
 * epochs, or all at once (Howard & Ruder 2018, arXiv:1801.06146, 3.3; fastai's freeze, freeze_to
 * and unfreeze).
 * @param headEpochs 0: all groups train from the start
 * @param unfreezeEvery 0: after the head, all at once
 * @returns consecutive stages; the last one ends with `epochs`
 * @example
 * planStages({ epochs: 6, headEpochs: 1, unfreezeEvery: 2, groups: 3 })
 * // 1 epoch of 1 group, 2 of 2, 3 of 3
 */
export function planStages({ epochs, headEpochs, unfreezeEvery, groups }: StageOptions): Stage[] {
  if (headEpochs === 0 || groups === 1) return [{ first: 1, last: epochs, groups }]
  const stages: Stage[] = [{ first: 1, last: Math.min(headEpochs, epochs), groups: 1 }]
  for (let [first, open] = [headEpochs + 1, 2]; first <= epochs; open++) {
    const rest = unfreezeEvery === 0 || open >= groups
    const last = rest ? epochs : Math.min(epochs, first + unfreezeEvery - 1)
    stages.push({ first, last, groups: rest ? groups : open })
    first = last + 1
  }
  return stages
}

export interface StageOptions {
  readonly epochs: number
  readonly headEpochs: number
  readonly unfreezeEvery: number
  readonly groups: number
}

/** The phases of the learning rate's schedule, as in fastai's fine_tune. */
export function planPhases({ epochs, headEpochs, groups }: StageOptions): Phase[] {
  if (headEpochs === 0 || groups === 1 || headEpochs >= epochs)
    return [{ kind: 'all', first: 1, last: epochs }]
  return [
    { kind: 'head', first: 1, last: headEpochs },
    { kind: 'rest', first: headEpochs + 1, last: epochs },
  ]
}
