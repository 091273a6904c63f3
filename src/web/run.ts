import { at } from '../base/at.ts'
import { percent } from '../base/format.ts'
import type { EpochResult, Skipped } from '../train/events.ts'
import { noteTime, type TimeLeft, type Timing, timeLeft } from '../train/timeLeft.ts'
import type { Previewed, Result, WorkEvent } from './workerApi.ts'

/** One training as the page shows it. */
export interface Run {
  readonly status: 'running' | 'stopping' | 'judging' | 'done' | 'stopped' | 'failed'
  /** What is being done, in words, and how far it is; `total` is 0 if that is not known. */
  readonly doing: { readonly what: string; readonly done: number; readonly total: number }
  /** Epochs to train. */
  readonly of: number
  readonly epochs: readonly EpochResult[]
  /** The losses of batches, by the rounds so far; every other is dropped where they are many. */
  readonly losses: readonly { readonly x: number; readonly y: number }[]
  /** What a few images held out are taken for at the moment. */
  readonly preview: readonly Previewed[]
  /** What is known of its speed, and the time that it still takes. */
  readonly timing: Timing | null
  readonly left: TimeLeft
  readonly skipped: readonly Skipped[]
  readonly remarks: readonly string[]
  readonly result: Result | null
  readonly problem: string | null
  /** What a screen reader says; it changes seldom enough to be heard in full. */
  readonly said: string
}

export type Action =
  | { readonly type: 'start'; readonly epochs: number }
  | { readonly type: 'event'; readonly event: WorkEvent; readonly at: number }
  | { readonly type: 'stop' }
  | { readonly type: 'done'; readonly result: Result }
  | { readonly type: 'failed'; readonly stopped: boolean; readonly message: string }
  | { readonly type: 'forget' }
  /** What the classes of the result are called from now on. */
  | { readonly type: 'rename'; readonly classes: readonly string[] }

/** The training after something happened. */
export function reduce(run: Run | null, action: Action): Run | null {
  if (action.type === 'start') return begin(action.epochs)
  if (action.type === 'forget' || !run) return null
  if (action.type === 'rename')
    return run.result ? { ...run, result: renamed(run.result, action.classes) } : run
  if (action.type === 'stop') return { ...run, status: 'stopping', said: 'Stopping.' }
  if (action.type === 'failed')
    return {
      ...run,
      status: action.stopped ? 'stopped' : 'failed',
      problem: action.message,
      left: null,
      said: action.message,
    }
  if (action.type === 'done') return finish(run, action.result)
  // Events and the result arrive separately: the result may be first.
  return isActive(run) ? heard(run, action.event, action.at) : run
}

/** Whether the worker is still working on it. */
export function isActive({ status }: Run): boolean {
  return status === 'running' || status === 'stopping' || status === 'judging'
}

function begin(epochs: number): Run {
  return {
    status: 'running',
    doing: { what: 'Getting ready', done: 0, total: 0 },
    of: epochs,
    epochs: [],
    losses: [],
    preview: [],
    timing: null,
    left: null,
    skipped: [],
    remarks: [],
    result: null,
    problem: null,
    said: 'Training begins.',
  }
}

function finish(run: Run, result: Result): Run {
  const { epochs, skipped, accuracy, aborted, problem } = result
  const right = accuracy ? `${percent(accuracy.value)} of the images held out are right.` : ''
  const said = `${aborted || problem ? 'Stopped' : 'Done'}. ${right}`
  return { ...run, status: 'done', epochs, skipped, result, problem, left: null, said }
}

/** A result under other names of its classes. */
function renamed(result: Result, classes: readonly string[]): Result {
  const now = (name: string) => at(classes, result.classes.indexOf(name))
  return {
    ...result,
    classes,
    perClass: result.perClass.map((one) => ({ ...one, name: now(one.name) })),
    topLosses: result.topLosses.map((one) => ({
      ...one,
      actual: now(one.actual),
      predicted: now(one.predicted),
    })),
  }
}

/** Events of the page itself, which say nothing of a training's time. */
const ownEvents = ['choice', 'prepared', 'preview', 'judging', 'contestant', 'part'] as const

const isOwn = (
  event: WorkEvent,
): event is Extract<WorkEvent, { type: (typeof ownEvents)[number] }> =>
  ownEvents.some((type) => type === event.type)

function heard(before: Run, event: WorkEvent, at: number): Run {
  const now = at / 1000
  const timing = isOwn(event) ? before.timing : noteTime(before.timing, event, now)
  const run = { ...before, timing, left: timeLeft(timing, now) }
  switch (event.type) {
    case 'read':
      // While it trains, the bar shows the training.
      if (run.losses.length > 0) return run
      return {
        ...run,
        doing: {
          what: run.timing ? 'Reading images' : 'Looking at the images, to choose how to learn',
          done: event.done,
          total: event.total,
        },
      }
    case 'compile':
      if (run.losses.length > 0) return run
      return { ...run, doing: { what: 'Compiling kernels', done: event.done, total: event.total } }
    case 'step': {
      const done = (event.epoch - 1) * event.steps + event.step
      const total = run.of * event.steps
      return {
        ...run,
        losses: withLoss(run.losses, { x: done / event.steps, y: event.loss }),
        doing: { what: `Round ${event.epoch} of ${run.of}`, done, total },
      }
    }
    case 'epoch': {
      const right = `${percent(event.valAccuracy)} of the images held out are right.`
      const said = `Round ${event.epoch} of ${run.of}: ${right}`
      return { ...run, epochs: [...run.epochs, event], said }
    }
    case 'preview':
      return { ...run, preview: event.images }
    case 'part':
      return { ...run, doing: { ...run.doing, done: event.done, total: event.total } }
    case 'skipped':
      return { ...run, skipped: [...run.skipped, event] }
    case 'remark':
      return { ...run, remarks: [...run.remarks, event.message] }
    case 'recovered': {
      const { reason, adapter, epoch, repeated } = event
      const lost =
        `The GPU was lost (${reason}); ${adapter} continues in epoch ${epoch}, ` +
        `${repeated} steps are repeated.`
      return { ...run, remarks: [...run.remarks, lost], said: lost }
    }
    case 'judging':
      return {
        ...run,
        status: 'judging',
        doing: { what: 'Judging it on the images held out', done: 0, total: 0 },
        left: null,
      }
    default:
      return run
  }
}

/** Points of the live curve. */
const mostPoints = 400

function withLoss(losses: Run['losses'], point: Run['losses'][number]): Run['losses'] {
  const kept = losses.length < mostPoints ? losses : losses.filter((_, i) => i % 2 === 0)
  return [...kept, point]
}
