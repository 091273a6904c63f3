import { layerOf } from '../../nn/layerTimes.ts'
import { inspection, lossName } from './model.ts'
import { href } from './route.ts'
import { Scroll } from './scroll.tsx'
import { number, shapeText } from './text.ts'

/** Every tensor of the step against float64, and the first that is off. */
export function Numbers() {
  const { numbers } = inspection
  const first = numbers.find(({ ok }) => !ok)
  const worst = Math.max(...numbers.map(({ relative }) => relative))
  return (
    <section>
      <h2>Against float64</h2>
      <p class={first ? 'verdict wrong' : 'verdict right'}>
        {first
          ? `${first.layer ?? lossName}: ${first.operator} ${first.what} is the first to diverge.`
          : `All ${numbers.length} tensors agree with the reference; ` +
            `the largest relative error is ${number(worst)}.`}
      </p>
      <p class="quiet">
        Each operator is computed again on the CPU in float64, from the values that it read itself.
        "Since the image" compares with float64 all the way through, where errors add up.
      </p>
      <Scroll label="Numbers">
        <table>
          <thead>
            <tr>
              <th scope="col">layer</th>
              <th scope="col">operator</th>
              <th scope="col">tensor</th>
              <th scope="col" class="right">
                relative error
              </th>
              <th scope="col" class="right">
                allowed
              </th>
              <th scope="col" class="right">
                since the image
              </th>
              <th scope="col">furthest off at</th>
              <th scope="col" class="right">
                GPU
              </th>
              <th scope="col" class="right">
                float64
              </th>
            </tr>
          </thead>
          <tbody>
            {numbers.map((row) => (
              <tr key={`${row.call} ${row.what}`} class={row === first ? 'wrong' : ''}>
                <td>
                  <a href={href('tensors', layerOf(row) ?? lossName)}>{row.layer ?? lossName}</a>
                </td>
                <td>{row.operator}</td>
                <td>{row.what}</td>
                <td class="right">
                  {number(row.relative)}
                  {row.ok ? '' : ' ✗'}
                </td>
                <td class="right">{row.allowed === 0 ? 'exact' : number(row.allowed)}</td>
                <td class="right">{row.sinceImage === null ? '' : number(row.sinceImage)}</td>
                <td>{shapeText(row.worst.at)}</td>
                <td class="right">{number(row.worst.actual)}</td>
                <td class="right">{number(row.worst.expected)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  )
}
