/**
 * What the inspector's entries have alike; inspector.ts and browserInspector.ts add to it what each
 * does in its own way.
 */
export { type InspectedStep, type InspectOptions, inspect } from './inspect.ts'
export type {
  ComparedStep,
  InspectedCall,
  InspectedDispatch,
  InspectedEpoch,
  InspectedLayer,
  InspectedSource,
  Inspection,
  NumberRow,
} from './inspection.ts'
export { firstDiverging } from './numbers.ts'
export { type PackedTensor, unpackTensor } from './pack.ts'
export type { Peak } from './peak.ts'
export { chromeTrace } from './trace.ts'
