/** What a worker tells. */
export type WorkerEvent =
  | { readonly type: 'migrated'; readonly version: number }
  | { readonly type: 'ready'; readonly queue: string; readonly name: string }
  | { readonly type: 'job'; readonly id: string; readonly kind: string; readonly images: number }
  | {
      readonly type: 'job-done'
      readonly id: string
      readonly images: number
      readonly broken: number
      readonly adapter: string | null
      readonly seconds: number
      /** It was done before: by another worker, or in an earlier run. */
      readonly found: boolean
    }
  | {
      readonly type: 'job-failed'
      readonly id: string
      readonly reason: string
      /** It is not tried again. */
      readonly final: boolean
    }
  | { readonly type: 'job-back'; readonly id: string; readonly reason: string }
  | { readonly type: 'queue-lost'; readonly reason: string }
  | { readonly type: 'queue-found' }
  | { readonly type: 'draining'; readonly jobs: number }

/** What a worker has done. */
export interface WorkerSummary {
  readonly jobs: number
  readonly images: number
  readonly failed: number
}
