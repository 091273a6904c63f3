import { type OptionText, option, optionText } from '../../base/optionText.ts'
import type { FitOptions } from '../fitOptions.ts'
import type { FitSettings } from './defaults.ts'

/** A combination of options in which one would have no effect, or contradicts another one. */
interface Condition {
  readonly broken: (settings: FitSettings, given: Partial<FitOptions>) => boolean
  readonly message: (settings: FitSettings) => OptionText
}

/** Whether it does not matter which epoch is the best one. */
export const ranksNothing = ({ keep, patience }: FitSettings): boolean =>
  keep === 'last' && patience === undefined

/** Which options need or exclude which others. */
export const conditions: readonly Condition[] = [
  {
    broken: ({ resume, checkpoint }) => resume && checkpoint === undefined,
    message: () =>
      optionText`${option('resume')} needs ${option('checkpoint')}, the folder to continue from`,
  },
  {
    broken: ({ checkpoint, beforeCheckpoint }) => !checkpoint && beforeCheckpoint !== undefined,
    message: () => optionText`${option('beforeCheckpoint')} needs ${option('checkpoint')}`,
  },
  {
    broken: ({ checkpoint, checkpointFiles }) => !checkpoint && checkpointFiles !== undefined,
    message: () => optionText`${option('checkpointFiles')} needs ${option('checkpoint')}`,
  },
  {
    broken: (_, given) => given.onResume !== undefined && given.resume === undefined,
    message: () => optionText`${option('onResume')} needs ${option('resume')}`,
  },
  {
    broken: ({ wholeEpochs, maxSeconds }) => wholeEpochs && maxSeconds === undefined,
    message: () => optionText`${option('wholeEpochs')} needs ${option('maxSeconds')}`,
  },
  {
    broken: ({ featureCache, cache }) => featureCache !== undefined && !cache,
    message: () =>
      optionText`${option('featureCache')} has no effect with ${option('cache', false)}: leave one
        out`,
  },
  {
    broken: ({ momentum, schedule }) => momentum !== undefined && schedule === 'one-cycle',
    message: () => optionText`one-cycle moves the momentum itself: leave ${option('momentum')} out`,
  },
  {
    broken: ({ momentum, optimizer }) => momentum !== undefined && optimizer !== 'sgd',
    message: ({ optimizer }) =>
      optionText`${option('momentum')} is for sgd; ${optimizer} has its own: leave it out`,
  },
  {
    broken: ({ warmup, schedule }) => warmup > 0 && schedule === 'one-cycle',
    message: () => optionText`one-cycle has its own warm-up: leave ${option('warmup')} out`,
  },
  {
    broken: ({ lrFloor, schedule }) => lrFloor > 0 && schedule !== 'cosine',
    message: () =>
      optionText`${option('lrFloor')} is where a cosine ends: it needs
        ${option('schedule', 'cosine')}`,
  },
  {
    broken: ({ headEpochs, epochs }) => headEpochs > 0 && headEpochs >= epochs,
    message: ({ headEpochs, epochs }) =>
      optionText`${option('headEpochs')} is ${headEpochs} of ${epochs} epochs: leave some for the
        other layers`,
  },
  {
    broken: ({ unfreezeEvery, headEpochs }) => unfreezeEvery > 0 && headEpochs === 0,
    message: () =>
      optionText`${option('unfreezeEvery')} starts after the head has trained alone: give
        ${option('headEpochs')} too`,
  },
  {
    broken: ({ layerGroups, lrSpread, headEpochs }) =>
      layerGroups !== undefined && lrSpread === 1 && headEpochs === 0,
    message: () =>
      optionText`${option('layerGroups')} has no effect while all groups have one rate: give
        ${option('lrSpread')} too`,
  },
  {
    broken: (settings) => settings.minDelta > 0 && ranksNothing(settings),
    message: () =>
      optionText`${option('minDelta')} says when an epoch is better: it needs ${option('patience')}
        or ${option('keep', 'best')}`,
  },
  {
    broken: (settings, given) => given.monitor !== undefined && ranksNothing(settings),
    message: () =>
      optionText`${option('monitor')} says what is better: it needs ${option('patience')} or
        ${option('keep', 'best')}`,
  },
]
