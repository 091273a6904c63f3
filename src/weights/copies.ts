/** Which of several copies of the weights in one file is taken, where nobody has said it. */
import { WeightsError } from '../base/errors.ts'
import { option, optionText } from '../base/optionText.ts'
import { listNames, quote } from './arrays.ts'

/** Averages of the weights over the steps of training: 'state_dict_ema', 'modelEma', 'swa.'. */
const averaged = /(?:^|[._])(?:ema|swa|averaged?|avg|shadow)(?:[._\d]|$)/i
/** The usual names of a state_dict, at the end of its path. */
const usual =
  /(?:^|\.)(?:\w*state_?dict\w*|model|net(?:work)?|(?:model_)?(?:state|weights|params))$/i

/**
 * Chooses one of several places: averages before all others, as timm does, since they are what such
 * a training is evaluated with; then those with a state_dict's usual name.
 * @param where begins the error: 'the weights are under'
 * @returns the place, and a remark if there are others
 * @throws WeightsError that names the places, if the order does not decide
 */
export function chooseCopy(
  places: readonly string[],
  by: 'weightsKey' | 'weightsPrefix',
  where: string,
): { readonly chosen: string; readonly remarks: readonly string[] } {
  const rankOf = (place: string) =>
    2 * Number(isAveraged(place)) + Number(by === 'weightsKey' && usual.test(place))
  const best = Math.max(...places.map(rankOf))
  const [chosen, ...equals] = places.filter((place) => rankOf(place) === best)
  if (chosen === undefined) throw new RangeError('there is no place to choose')
  if (equals.length > 0)
    throw new WeightsError(
      optionText`${where} ${listNames([chosen, ...equals])}, ${places.length} copies: say which with
        ${option(by, chosen)}`,
    )
  const others = places.filter((place) => place !== chosen)
  if (others.length === 0) return { chosen, remarks: [] }
  const kind = isAveraged(chosen) ? ', an average over the steps of training' : ''
  return {
    chosen,
    remarks: [`the weights are those under ${quote(chosen)}${kind}, not ${listNames(others)}`],
  }
}

function isAveraged(place: string): boolean {
  return averaged.test(place.replace(/([a-z])([A-Z])/g, '$1_$2'))
}
