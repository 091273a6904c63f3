import type { JobKind } from '../job.ts'

/** Every kind of job that a worker does. */
export const jobKinds: readonly JobKind[] = []
