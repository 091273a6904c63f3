import { useEffect, useState } from 'preact/hooks'
import { errorOf } from '../labRun.ts'
import { href } from '../route.ts'
import { Header, Scroll } from '../scroll.tsx'
import { amount, number, shapeText, time } from '../text.ts'
import { flops, type Measured, measureSteps, shapes, steps } from './tourRun.ts'

const measures = ['time', 'FLOP/s', 'error']

/** One convolution in four ways; measured where the browser offers a GPU. */
export function Tiles() {
  const offered = useGpu()
  const [results, setResults] = useState<readonly (Measured | undefined)[]>([])
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const run = async () => {
    setBusy(true)
    setProblem(null)
    setResults([])
    try {
      const found: Measured[] = []
      await measureSteps((index, measured) => {
        found[index] = measured
        setResults([...found])
      })
    } catch (error) {
      setProblem(errorOf(error).message)
    } finally {
      setBusy(false)
    }
  }
  return (
    <>
      <p>
        One convolution, x {shapeText(shapes.x)} with {shapes.weight[0]} filters of{' '}
        {shapes.weight.slice(1).join(' x ')}, {amount(flops)}
        FLOP, in four ways. They compute the same sums; what changes is how often a fetched number
        is used.
      </p>
      {offered ? (
        <p>
          <button type="button" disabled={busy} onClick={() => void run()}>
            {busy ? 'Measuring…' : 'Measure on this GPU'}
          </button>
        </p>
      ) : offered === false ? (
        <p>
          This browser offers no WebGPU here, so the four cannot be measured: open the page in one
          that does, or with <code>graft inspect … --serve</code>.
        </p>
      ) : null}
      <div aria-live="polite">{problem ? <p class="error">{problem}</p> : null}</div>
      <Scroll label="The four steps">
        <table>
          <Header columns={['step', 'uses of a loaded number', ...measures]} numbers={measures} />
          <tbody>
            {steps.map((step, i) => {
              const measured = results[i]
              return (
                <tr key={step.name} data-measured={measured ? 'yes' : 'no'}>
                  <td class="step-text">
                    <strong>{step.name}.</strong> {step.why}{' '}
                    <a href={href('lab', ...step.file.split('/'))}>{step.file}</a>
                  </td>
                  <td>{step.uses}</td>
                  <td class="right">{measured ? time(measured.milliseconds) : ''}</td>
                  <td class="right">
                    {measured?.milliseconds
                      ? amount(Math.round((1000 * flops) / measured.milliseconds))
                      : ''}
                  </td>
                  <td class="right">{measured ? number(measured.error) : ''}</td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </Scroll>
    </>
  )
}

/** Whether the browser has a GPU for this page; null until that is known. */
function useGpu(): boolean | null {
  const [offered, setOffered] = useState<boolean | null>(null)
  useEffect(() => {
    void (async () => {
      const adapter = await navigator.gpu?.requestAdapter().catch(() => null)
      setOffered(Boolean(adapter))
    })()
  }, [])
  return offered
}
