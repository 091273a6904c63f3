/** What a compute pass writes: timestamps at its two ends, as the given pair of a query set. */
export function timestampWrites(
  querySet: GPUQuerySet,
  pair: number,
): GPUComputePassTimestampWrites {
  return { querySet, beginningOfPassWriteIndex: 2 * pair, endOfPassWriteIndex: 2 * pair + 1 }
}

/**
 * Encodes the copy of a query set's first `count` timestamps. Call the result after the
 * submit; it gives the timestamps in nanoseconds.
 */
export function readTimestamps(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  querySet: GPUQuerySet,
  count: number,
): () => Promise<BigUint64Array> {
  const size = count * BigUint64Array.BYTES_PER_ELEMENT
  const create = (usage: GPUBufferUsageFlags) =>
    device.createBuffer({ label: 'timestamps', size, usage })
  const resolved = create(GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC)
  const staging = create(GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST)
  encoder.resolveQuerySet(querySet, 0, count, resolved, 0)
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, size)
  return async () => {
    await staging.mapAsync(GPUMapMode.READ)
    const times = new BigUint64Array(staging.getMappedRange()).slice()
    for (const buffer of [resolved, staging]) buffer.destroy()
    return times
  }
}
