import type { JobKind } from '../job.ts'
import { featuresKind } from './features.ts'
import { predictionsKind } from './predictions.ts'
import { roundKind } from './round.ts'
import { trainingKind } from './training.ts'

/** Every kind of job that a worker does. */
export const jobKinds: readonly JobKind[] = [featuresKind, predictionsKind, roundKind, trainingKind]
