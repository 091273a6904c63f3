import { z95 } from '../base/interval.ts'
import { isRecord } from '../base/json.ts'

/**
 * A run's config with its choice in today's form. Older runs keep standard
 * errors of the measured depths instead of intervals, and measured no validation images, so they
 * have no forecast. Anything else is returned as it is.
 */
export function withTodaysChoice(config: unknown): unknown {
  if (!isRecord(config) || !isRecord(config.choice)) return config
  const { choice } = config
  const { evidence } = choice
  if (!isRecord(evidence) || 'validation' in evidence || !Array.isArray(evidence.depths))
    return config
  const today = {
    ...evidence,
    validation: 0,
    sampledValidation: 0,
    steps: 0,
    depths: evidence.depths.map(withIntervals),
  }
  return { ...config, choice: { ...choice, evidence: today } }
}

function withIntervals(depth: unknown): unknown {
  if (!isRecord(depth)) return depth
  const { error, expectedError, behindError, ...rest } = depth
  const { accuracy, behind } = rest
  if (![accuracy, behind, error, behindError].every((value) => typeof value === 'number'))
    return depth
  const [half, behindHalf] = [z95 * Number(error), z95 * Number(behindError)]
  return {
    ...rest,
    interval: {
      low: Math.max(0, Number(accuracy) - half),
      high: Math.min(1, Number(accuracy) + half),
    },
    behind: {
      value: behind,
      low: Number(behind) - behindHalf,
      high: Number(behind) + behindHalf,
    },
  }
}
