/**
 * What the inspector's entries have alike; inspector.ts and browserInspector.ts add to it what each
 * does in its own way.
 */
export {
  type ComparedStep,
  type InspectedCall,
  type InspectedDispatch,
  type InspectedLayer,
  type InspectedSource,
  type InspectedStep,
  type Inspection,
  type InspectOptions,
  inspect,
} from './inspection.ts'
export { firstDiverging, type NumberRow } from './numbers.ts'
export { type PackedTensor, unpackTensor } from './pack.ts'
export type { Peak } from './peak.ts'
export { chromeTrace } from './trace.ts'
