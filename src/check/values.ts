/** A kernel over values alone: the search for NaN and infinity. */
import { at } from '../base/at.ts'
import { allFinite } from '../ops/finite.ts'
import { markNonFinite } from '../optim/health.ts'
import { exact } from '../reference/agreement.ts'
import { between } from '../reference/random.ts'
import { type CheckCase, finding, type Subject } from './subject.ts'

/** Whether NaN and infinity are found wherever they are, and nothing else is taken for one. */
function finiteCase(n: number, place: number | null, odd: number): CheckCase {
  return {
    description: `${n} values, ${place === null ? 'all finite' : `${odd} at ${place}`}`,
    async run(engine) {
      const data = Float32Array.from({ length: n }, (_, i) => (i % 2 ? 3.4e38 : -i))
      if (place !== null) data[place] = odd
      const [x, health] = [engine.tensor(data, [n]), engine.tensor(Float32Array.of(0), [1])]
      markNonFinite(engine.gpu, x.buffer, health.buffer)
      const marked = at(await health.data(), 0)
      const [fine] = await allFinite(engine, [x])
      for (const tensor of [x, health]) tensor.dispose()
      return [finding('seen', [marked, fine ? 0 : 1], place === null ? [0, 0] : [1, 1], [2], exact)]
    },
  }
}

const finiteSubject: Subject = {
  name: 'finite',
  kernels: ['fast'],
  checks: ['optim/health.wgsl'],
  tolerance: 'A value is finite or it is not.',
  cases: (random, drawn) => [
    finiteCase(9, null, 0),
    finiteCase(1, 0, Number.NaN),
    finiteCase(258, 257, Number.NEGATIVE_INFINITY),
    finiteCase(64, 63, Number.POSITIVE_INFINITY),
    ...Array.from({ length: drawn }, () => {
      const n = between(random, 1, 700)
      return finiteCase(
        n,
        random.below(3) ? random.below(n) : null,
        random.below(2) ? Number.NaN : Number.POSITIVE_INFINITY,
      )
    }),
  ],
}

export const valueSubjects: readonly Subject[] = [finiteSubject]
