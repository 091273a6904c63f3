/** The GPU memory that training will take, known before any of it is allocated. */
export interface MemoryPlan {
  readonly batchSize: number
  /**
   * The most bytes held at once, including those held already. Null if a dispatch would bind or
   * allocate more than the adapter allows.
   */
  readonly peakBytes: number | null
  /** Bytes of all parameters. */
  readonly parameterBytes: number
  /** Bytes of the gradients of trainable parameters. */
  readonly gradientBytes: number
  /** Bytes of the optimizer's state. */
  readonly optimizerBytes: number
  /** Bytes that may be held in total; null if the adapter does not say, as on a GPU. */
  readonly limitBytes: number | null
  /** Why training cannot fit, else null. */
  readonly problem: string | null
  /** The largest batch size up to this one that fits; 0 if not even a single image does. */
  readonly largestBatchSize: number
}
