import { EvidenceTable } from '../report/evidence.tsx'
import type { Choice } from '../transfer/decide.ts'

/** What 'auto' decided, in a sentence, and what it measured. */
export function EvidenceView({ choice }: { readonly choice: Choice }) {
  return (
    <div class="evidence" data-testid="evidence">
      <p>
        auto picks <strong>{choice.scenario}</strong>: {choice.reason}
      </p>
      <details>
        <summary>What was measured</summary>
        <EvidenceTable choice={choice} />
      </details>
    </div>
  )
}
