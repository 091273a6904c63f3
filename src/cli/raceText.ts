import { counted, duration, percent } from '../base/format.ts'
import { pairedDifference, shareInterval } from '../base/interval.ts'
import { overfittingOf } from '../train/overfitting.ts'
import type { Raced } from '../train/race.ts'

/** The three networks of the demo. */
export type Rival = 'graft' | 'scratch' | 'random'

export const rivalNames: Readonly<Record<Rival, string>> = {
  graft: 'the graft',
  scratch: 'scratch',
  random: 'random trunk, frozen',
}

type Trained = Pick<Raced, 'right' | 'points' | 'kept' | 'seconds'>

/** The share of images that are right. */
export function shareRight({ right }: Pick<Raced, 'right'>): number {
  return right.reduce((sum, one) => sum + one, 0) / right.length
}

/** The best validation accuracy within the first epochs. */
export function bestWithin({ points }: Pick<Raced, 'points'>, epochs: number): number {
  return Math.max(...points.slice(0, epochs).map(({ valAccuracy }) => valAccuracy))
}

/** The first network against the second one on the same images: in percent, by its interval. */
function against(first: Trained, second: Trained) {
  const { low, high } = pairedDifference(first.right, second.right)
  return low > 0 ? 'ahead' : high < 0 ? 'behind' : 'tie'
}

/** Times are the same up to this factor. */
const clearlyLonger = 1.25

/** One sentence that reads the results, whichever way they fall. */
export function verdict({ graft, scratch, random }: Readonly<Record<Rival, Trained>>): string {
  const [g, s, r] = [graft, scratch, random].map((one) => percent(shareRight(one)))
  const images = counted(graft.right.length, 'image')
  const overScratch = against(graft, scratch)
  // It trains one epoch at least, however long that takes.
  const start =
    scratch.seconds > clearlyLonger * graft.seconds
      ? `In ${duration(graft.seconds)} the graft reaches ${g}, and the same network from scratch ` +
        `${s} in ${duration(scratch.seconds)}, which ${counted(scratch.points.length, 'epoch')} ` +
        `${scratch.points.length === 1 ? 'takes' : 'take'}`
      : `In the same ${duration(graft.seconds)} the graft reaches ${g} and the same network ` +
        `from scratch ${s}`
  const first = {
    ahead: `${start}: the graft is ahead`,
    behind: `${start}: here training from scratch is ahead`,
    tie: `${start}: on ${images} that is a tie`,
  }[overScratch]
  const second = {
    ahead: `a frozen trunk of random weights reaches ${r}, so what the trunk learned before helps`,
    tie:
      `a frozen trunk of random weights does as well (${r}, a tie), so ` +
      (overScratch === 'ahead'
        ? 'most of the gain is that no trunk has to be trained'
        : 'what the trunk learned before does not show here'),
    behind: `a frozen trunk of random weights is ahead (${r}): what this one learned hinders here`,
  }[against(graft, random)]
  return `${first}; ${second}.`
}

/** What to say of a network that overfits at the end of its training. */
export function overfittingText(
  name: string,
  { points, kept, right }: Pick<Raced, 'points' | 'kept' | 'right'>,
): string[] {
  const last = points.at(-1)
  if (!last) return []
  const { length } = right
  const value = last.valAccuracy
  const found = overfittingOf(points, last, { value, ...shareInterval(value, length), of: length })
  if (!found) return []
  const { learned, rise } = found
  const known = learned ?? last
  return [
    [
      `${name}: ${percent(known.trainAccuracy)} right of the images trained on in epoch `,
      rise
        ? `${known.epoch}, while the loss in validation rises from ` +
          `${rise.lowest.valLoss.toFixed(2)} (epoch ${rise.lowest.epoch}) to ` +
          rise.last.valLoss.toFixed(2)
        : `${known.epoch}, and ${percent(value)} of those held out at the end`,
      learned ? ': it learns them by heart. ' : ': it overfits. ',
      `Epoch ${kept.epoch}, the best in validation, is kept.`,
    ].join(''),
  ]
}

/** A table's rows: each network after the same seconds and after the same epochs. */
export function raceRows(raced: ReadonlyMap<Rival, Trained>): {
  readonly header: string[]
  readonly rows: string[][]
} {
  const trained = [...raced.values()]
  const epochs = Math.min(...trained.map(({ points }) => points.length))
  const header = ['', 'same time', `in ${counted(epochs, 'epoch')}`, 'epochs', 'kept', 'seconds']
  const rows = [...raced].map(([name, one]) => [
    rivalNames[name],
    percent(shareRight(one)),
    percent(bestWithin(one, epochs)),
    String(one.points.length),
    String(one.kept.epoch),
    one.seconds.toFixed(1),
  ])
  return { header, rows }
}
