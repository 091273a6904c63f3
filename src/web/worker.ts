import { expose } from 'comlink'
import { createEngine, loadWeights } from '../browser.ts'
import { Trainer } from './trainer.ts'

declare const GRAFT_VERSION: string

expose(new Trainer(createEngine, loadWeights, GRAFT_VERSION))
