import { percent } from '../base/format.ts'
import type { EpochResult, Skipped } from '../train/events.ts'
import type { Result, WorkEvent } from './workerApi.ts'

/** One training as the page shows it. */
export interface Run {
  readonly status: 'running' | 'stopping' | 'judging' | 'done' | 'stopped' | 'failed'
  /** What is being done, in words, and how far it is; `total` is 0 if that is not known. */
  readonly doing: { readonly what: string; readonly done: number; readonly total: number }
  /** Epochs to train. */
  readonly of: number
  readonly epochs: readonly EpochResult[]
  /** When the first step was seen, in milliseconds. */
  readonly begun: number | null
  /** Seconds left, estimated from the steps so far; null before the first. */
  readonly left: number | null
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

/** The training after something happened. */
export function reduce(run: Run | null, action: Action): Run | null {
  if (action.type === 'start') return begin(action.epochs)
  if (action.type === 'forget' || !run) return null
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
    begun: null,
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

function heard(run: Run, event: WorkEvent, at: number): Run {
  switch (event.type) {
    case 'read':
      return { ...run, doing: { what: 'Reading images', done: event.done, total: event.total } }
    case 'compile':
      return { ...run, doing: { what: 'Compiling kernels', done: event.done, total: event.total } }
    case 'step': {
      const begun = run.begun ?? at
      const done = (event.epoch - 1) * event.steps + event.step
      const total = run.of * event.steps
      // The clock starts at the end of the first step, which is slower than the others.
      const left =
        at > begun && done > 1 ? (((at - begun) / 1000) * (total - done)) / (done - 1) : null
      return {
        ...run,
        begun,
        left,
        doing: { what: `Epoch ${event.epoch} of ${run.of}`, done, total },
      }
    }
    case 'epoch': {
      const right = `${percent(event.valAccuracy)} of the images held out are right.`
      const said = `Epoch ${event.epoch} of ${run.of}: ${right}`
      return { ...run, epochs: [...run.epochs, event], said }
    }
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
