import { PageHeader } from '../look/header.tsx'
import type { Comparison } from '../train/compareScenarios.ts'
import { Figure } from './figure.tsx'
import { renderPage } from './page.tsx'
import { FourWays } from './sections/comparison.tsx'

/**
 * The four scenarios' accuracy against time, as one HTML file.
 * @param about.data what was trained on; `about.budget` the time or epochs that each had
 */
export function comparisonPage(
  comparison: Comparison,
  about: { readonly data: string; readonly budget: string },
): string {
  const title = `Four ways to train on ${about.data}`
  return renderPage(
    title,
    <>
      <PageHeader kind="comparison" title={title} />
      <FourWays comparison={comparison} budget={about.budget} Figure={Figure} />
    </>,
  )
}
